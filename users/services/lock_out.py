"""Slows down whoever guesses.

Failures in a row are counted for the typed name and the address together: nobody can lock a colleague out from
elsewhere, and a name that nobody has behaves like any other.
"""

import math
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.crypto import salted_hmac

from epmm import options, settings_store
from epmm.client_address import network
from users.errors import TooManyAttempts
from users.models import SignInFailures

LONGEST_LOCK: Final = timedelta(hours=1)
KEPT: Final = timedelta(days=1)
MOST_ROWS: Final = 100_000
TRIM_EVERY: Final = 100  # rows; the bound may be passed by as many


def count_attempt(name: str, address: str | None) -> None:
    """Count an attempt as failed before it is looked at: guesses sent at once cannot outrun the count.

    Raises TooManyAttempts while locked, which changes nothing.  `clear` when the attempt was right.
    An enclosing transaction could take the count back, so there must be none.
    """
    now = timezone.now()
    with transaction.atomic(durable=True):
        row, is_new = SignInFailures.objects.select_for_update().get_or_create(
            name_hash=_name_hash(name), address=network(address)
        )
        if row.locked_until is not None and now < row.locked_until:
            raise TooManyAttempts(math.ceil((row.locked_until - now).total_seconds()))
        row.count = row.count + 1 if now - _last(row) < window() else 1
        row.last_at = now
        is_locked = row.count >= settings_store.read(options.FAILED_ATTEMPTS)
        row.locked_until = now + lock_after(row.count) if is_locked else None
        row.save()
    if is_new and row.pk % TRIM_EVERY == 0:
        forget(now)


def window() -> timedelta:
    return timedelta(minutes=settings_store.read(options.FAILED_WINDOW))


def _last(row: SignInFailures) -> datetime:
    """A lock is no rest: its time does not count."""
    return max(row.last_at, row.locked_until or row.last_at)


def clear(name: str, address: str | None) -> None:
    SignInFailures.objects.filter(name_hash=_name_hash(name), address=network(address)).delete()


def locked_until(names: Iterable[str]) -> datetime | None:
    """Until when the last of these names is locked, from whatever address."""
    rows = SignInFailures.objects.filter(name_hash__in=[*map(_name_hash, names)], locked_until__gt=timezone.now())
    return rows.aggregate(last=Max("locked_until"))["last"]  # type: ignore[no-any-return] # of an aggregate


def is_locked(name: str, address: str | None) -> bool:
    """For one who calls from this address."""
    row = SignInFailures.objects.filter(name_hash=_name_hash(name), address=network(address))
    return row.filter(locked_until__gt=timezone.now()).exists()


def unlock(names: Iterable[str]) -> int:
    """Forget the failures of these names from every address; how many there were."""
    return SignInFailures.objects.filter(name_hash__in=[*map(_name_hash, names)]).delete()[0]


def forget(now: datetime) -> None:
    """Drop what is old, and the oldest of what is too much."""
    SignInFailures.objects.filter(last_at__lt=now - KEPT).delete()
    newest_first = SignInFailures.objects.order_by("-last_at").values_list("last_at", flat=True)
    if one_too_many := newest_first[MOST_ROWS : MOST_ROWS + 1].first():
        SignInFailures.objects.filter(last_at__lte=one_too_many).delete()


def lock_after(failures: int) -> timedelta:
    doublings = min(failures - settings_store.read(options.FAILED_ATTEMPTS), 10)
    return min(timedelta(seconds=settings_store.read(options.AUTO_LOCK_SECONDS)) * (1 << doublings), LONGEST_LOCK)


def _name_hash(name: str) -> str:
    """Keyed: people type passwords into the wrong field, so what was typed must not be found out from the table."""
    typed = name.strip().lower().encode(errors="backslashreplace")
    return salted_hmac("users.lock_out", typed, algorithm="sha256").hexdigest()
