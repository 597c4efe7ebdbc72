"""Slows down whoever guesses, and nobody else.

Failures in a row are counted for the typed name and the address together, or the name and the browser where its person
has signed in with it before: nobody can lock a colleague out from elsewhere, and a name that nobody has behaves like
any other.  Strangers are also held to what `limits` has for one account, one address and all.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from epmm import caller, limit_options, settings_store
from epmm.client_address import network
from users.errors import TooManyAttempts
from users.models import SignInFailures
from users.services import limits, networks
from users.services.limits import Limit

LONGEST_LOCK: Final = timedelta(hours=1)
KEPT: Final = timedelta(days=1)
MOST_ROWS: Final = 100_000
TRIM_EVERY: Final = 100  # rows; the bound may be passed by as many


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """An attempt that counts as failed until `clear` says that it was right, or `take_back` that nobody looked."""

    name_hash: str
    where: str
    held_to: tuple[tuple[Limit, str], ...]  # always in the same order, in which their rows are locked

    @property
    def is_of_stranger(self) -> bool:
        return any(limit is limits.ALL for limit, _whom in self.held_to)

    @property
    def failures(self) -> QuerySet[SignInFailures]:
        return SignInFailures.objects.filter(name_hash=self.name_hash, address=self.where)


def count_attempt(name: str, address: str | None, *, browser: str = "", trusts_networks: bool = True) -> Counted:
    """Count an attempt as failed before it is looked at: guesses sent at once cannot outrun the count.

    `browser` is one in which the meant person has signed in before.  Raises TooManyAttempts while locked, which changes
    nothing.  An enclosing transaction could take the count back, so there must be none.
    """
    now = timezone.now()
    counted = Counted(
        name_hash=_name_hash(name),
        where=f"browser {browser}" if browser else network(address),
        held_to=_held_to(name, address, browser, trusts_networks=trusts_networks),
    )
    try:
        with transaction.atomic(durable=True):
            row, is_new = _count(counted, now)
            for limit, whom in counted.held_to:
                limits.spend(limit, whom, now)
    except TooManyAttempts as refusal:
        caller.has_to_wait(refusal.seconds)
        if refusal.is_news:
            _note(refusal.limit, counted, now)
        raise
    if is_new and row.pk % TRIM_EVERY == 0:
        forget(now)
    return counted


def _held_to(name: str, address: str | None, browser: str, *, trusts_networks: bool) -> tuple[tuple[Limit, str], ...]:
    if browser:
        return ()
    of_address = (limits.ADDRESS, network(address))
    if trusts_networks and networks.is_known(address):
        return (of_address,)
    return ((limits.ACCOUNT, _plain(name)), of_address, (limits.ALL, ""))


def _count(counted: Counted, now: datetime) -> tuple[SignInFailures, bool]:
    rows = SignInFailures.objects.select_for_update()
    row, is_new = rows.get_or_create(name_hash=counted.name_hash, address=counted.where)
    now = max(now, timezone.now())  # as `limits` has it: the row may have been waited for
    # The clock was put back: a lock of then would last until it is as late again.
    was_ahead = row.last_at > now + limits.SKEW
    if row.locked_until is not None and now < row.locked_until and not was_ahead:
        seconds = math.ceil((row.locked_until - now).total_seconds())
        raise TooManyAttempts(seconds, limit="failures", is_news=limits.is_news(row.noted_at, now))
    row.count = row.count + 1 if was_ahead or now - _last(row) < window() else 1
    row.last_at = now
    is_locked = row.count >= settings_store.read(limit_options.FAILED_ATTEMPTS)
    row.locked_until = now + lock_after(row.count) if is_locked else None
    row.save()
    return row, is_new


def _note(name_of_limit: str, counted: Counted, now: datetime) -> None:
    for limit, whom in counted.held_to:
        if limit.name == name_of_limit:
            limits.note(limit, whom, now)
            return
    counted.failures.update(noted_at=now)


def window() -> timedelta:
    return timedelta(minutes=settings_store.read(limit_options.FAILED_WINDOW))


def _last(row: SignInFailures) -> datetime:
    """A lock is no rest: its time does not count."""
    return max(row.last_at, row.locked_until or row.last_at)


def clear(counted: Counted) -> None:
    """The attempt was right."""
    counted.failures.delete()
    _refund(counted)


def take_back(counted: Counted) -> None:
    """An attempt that nobody looked at is none."""
    counted.failures.filter(count__gt=0).update(count=F("count") - 1, locked_until=None)
    _refund(counted)


def _refund(counted: Counted) -> None:
    for limit, whom in counted.held_to:
        limits.refund(limit, whom)


def locked_until(names: Iterable[str]) -> datetime | None:
    """Until when the last of these names is locked, from whatever address."""
    rows = SignInFailures.objects.filter(_is_locked(), name_hash__in=[*map(_name_hash, names)])
    return rows.aggregate(last=Max("locked_until"))["last"]  # type: ignore[no-any-return] # of an aggregate


def locks(name: str, address: str | None) -> QuerySet[SignInFailures]:
    """For one who calls from this address; there is at most one."""
    return SignInFailures.objects.filter(_is_locked(), name_hash=_name_hash(name), address=network(address))


def _is_locked() -> Q:
    """As `_count` takes it."""
    now = timezone.now()
    return Q(locked_until__gt=now, last_at__lte=now + limits.SKEW)


def unlock(names: Iterable[str]) -> int:
    """Forget the failures of these names from every address; how many there were."""
    names = list(names)
    spent = sum(limits.renew(limits.ACCOUNT, _plain(name)) for name in names)
    return spent + SignInFailures.objects.filter(name_hash__in=[*map(_name_hash, names)]).delete()[0]


def forget(now: datetime) -> None:
    """Drop what is old, and the oldest of what is too much."""
    SignInFailures.objects.filter(last_at__lt=now - KEPT).delete()
    newest_first = SignInFailures.objects.order_by("-last_at").values_list("last_at", flat=True)
    if one_too_many := newest_first[MOST_ROWS : MOST_ROWS + 1].first():
        SignInFailures.objects.filter(last_at__lte=one_too_many).delete()


def lock_after(failures: int) -> timedelta:
    doublings = min(failures - settings_store.read(limit_options.FAILED_ATTEMPTS), 10)
    return min(timedelta(seconds=settings_store.read(limit_options.AUTO_LOCK_SECONDS)) * (1 << doublings), LONGEST_LOCK)


def _plain(name: str) -> str:
    return name.strip().lower()


def _name_hash(name: str) -> str:
    """Keyed: people type passwords into the wrong field, so what was typed must not be found out from the table."""
    typed = _plain(name).encode(errors="backslashreplace")
    return salted_hmac("users.lock_out", typed, algorithm="sha256").hexdigest()
