"""How many sign-ins may fail, by account, by address and in all, whoever tries; held in the database for all processes.

What is used up comes back with time, and at once when the attempt was right.  A row is one moment: the limit is full
again then.  No row says for whom it stands.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F
from django.utils.crypto import salted_hmac

from users.errors import TooManyAttempts
from users.models import SignInBudget

MOST_ROWS: Final = 100_000
NOTED_AGAIN_AFTER: Final = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Limit:
    name: str
    at_once: int
    every: timedelta  # one comes back

    def key(self, whom: str) -> str:
        """Keyed, as people type passwords into the wrong field."""
        typed = f"{self.name} {whom}".encode(errors="backslashreplace")
        return salted_hmac("users.limits", typed, algorithm="sha256").hexdigest()


# Strangers to one account, from however many addresses: 308 guesses on the first day.
ACCOUNT: Final = Limit("account", 20, timedelta(minutes=5))
# One address and all accounts: an office may sit behind it, whose people mistype now and then.
ADDRESS: Final = Limit("address", 100, timedelta(seconds=6))
# Strangers and all accounts: half a core's worth of hashing goes to an attack from everywhere at most.
ALL: Final = Limit("all", 600, timedelta(milliseconds=500))
# PINs that one person asks for.
PINS: Final = Limit("pins", 5, timedelta(minutes=10))


def spend(limit: Limit, whom: str, now: datetime) -> None:
    """Raises TooManyAttempts; then nothing is spent.  Part of the caller's transaction."""
    row, _is_new = SignInBudget.objects.select_for_update().get_or_create(
        key=limit.key(whom), defaults={"spent_until": now}
    )
    spent_until = max(row.spent_until, now) + limit.every
    wait = (spent_until - now - limit.at_once * limit.every).total_seconds()
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
