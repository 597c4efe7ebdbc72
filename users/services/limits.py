"""How many sign-ins may fail, by account, by address and in all, whoever tries; held in the database for all processes.

What is used up comes back with time, and at once when the attempt was right.  A row is one moment: the limit is full
again then.  No row says for whom it stands.  How much each limit holds is settings of administrators.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from epmm import limit_options, settings_store
from epmm.settings_store import Setting
from users.errors import TooManyAttempts
from users.models import SignInBudget

MOST_ROWS: Final = 100_000
NOTED_AGAIN_AFTER: Final = timedelta(minutes=10)
SKEW: Final = timedelta(minutes=1)  # of the clocks of several servers


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    most: Setting[int]
    hourly: Setting[int]

    @property
    def at_once(self) -> int:
        return settings_store.read(self.most)

    @property
    def every(self) -> timedelta:
        """One comes back."""
        return timedelta(hours=1) / settings_store.read(self.hourly)

    def key(self, whom: str) -> str:
        """Keyed, as people type passwords into the wrong field."""
        typed = f"{self.name} {whom}".encode(errors="backslashreplace")
        return salted_hmac("users.limits", typed, algorithm="sha256").hexdigest()


# Strangers to one account, from however many addresses: 308 guesses on the first day.
ACCOUNT: Final = Limit("account", limit_options.ACCOUNT_ATTEMPTS, limit_options.ACCOUNT_ATTEMPTS_HOURLY)
# One address and all accounts: an office may sit behind it, whose people mistype now and then.
ADDRESS: Final = Limit("address", limit_options.ADDRESS_ATTEMPTS, limit_options.ADDRESS_ATTEMPTS_HOURLY)
# Strangers and all accounts: a fifth of a core's worth of hashing goes to an attack from everywhere at most.
ALL: Final = Limit("all", limit_options.STRANGER_ATTEMPTS, limit_options.STRANGER_ATTEMPTS_HOURLY)
# PINs, and invitations to themselves, that one person asks for.
PINS: Final = Limit("pins", limit_options.PIN_REQUESTS, limit_options.PIN_REQUESTS_HOURLY)
INVITATIONS: Final = Limit("invitations", limit_options.PIN_REQUESTS, limit_options.PIN_REQUESTS_HOURLY)


def spend(limit: Limit, whom: str, now: datetime) -> None:
    """Raises TooManyAttempts; then nothing is spent.  Part of the caller's transaction."""
    row, _is_new = SignInBudget.objects.select_for_update().get_or_create(
        key=limit.key(whom), defaults={"spent_until": now}
    )
    now = max(now, timezone.now())  # whoever has waited for the row is not measured by when they came
    every = limit.every
    most = now + limit.at_once * every
    # Where the clock was put back, or the limit held more, this attempt is the last, and the next comes back as ever.
    # Within what the clocks of several servers differ by it waits: taking turns, they would let in whoever comes.
    is_ahead = row.spent_until > most + max(every, SKEW)
    spent_until = most if is_ahead else max(row.spent_until, now) + every
    wait = (spent_until - most).total_seconds()
    if wait > 0:
        raise TooManyAttempts(math.ceil(wait), limit=limit.name, is_news=is_news(row.noted_at, now))
    row.spent_until = spent_until
    row.save(update_fields=["spent_until"])


def refund(limit: Limit, whom: str) -> None:
    SignInBudget.objects.filter(key=limit.key(whom)).update(spent_until=F("spent_until") - limit.every)


def is_news(noted_at: datetime | None, now: datetime) -> bool:
    return noted_at is None or now - noted_at > NOTED_AGAIN_AFTER


def note(limit: Limit, whom: str, now: datetime) -> None:
    SignInBudget.objects.filter(key=limit.key(whom)).update(noted_at=now)


def renew(limit: Limit, whom: str) -> int:
    """All of it is there again; whether anything was missing."""
    return SignInBudget.objects.filter(key=limit.key(whom)).delete()[0]


def forget(now: datetime) -> None:
    """What is full again, and the least spent of what is too much."""
    SignInBudget.objects.filter(spent_until__lt=now).delete()
    most_first = SignInBudget.objects.order_by("-spent_until").values_list("spent_until", flat=True)
    if one_too_many := most_first[MOST_ROWS : MOST_ROWS + 1].first():
        SignInBudget.objects.filter(spent_until__lte=one_too_many).delete()
