"""Who changed what.  Entries are written in the transaction of the change and never edited."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from ipaddress import ip_address
from typing import Any, Final

from epmm.models import AuditEntry

# What strangers cause is bounded in number, so entries of these go before their time.
BOUNDED: Final = frozenset({"sign_in.failed", "sign_in.limited"})


NOTE: Final = "note"  # in the details of an entry, and in the form of a dialog as `audit_note`
LONGEST_NOTE: Final = 500

_came_from: Final[ContextVar[str | None]] = ContextVar("came_from", default=None)
_noted: Final[ContextVar[str]] = ContextVar("noted", default="")


@contextmanager
def coming_from(address: str | None) -> Iterator[None]:
    """Whatever is recorded inside has this address, unless it is given another."""
    token = _came_from.set(address)
    try:
        yield
    finally:
        _came_from.reset(token)


@contextmanager
def noting(note: str) -> Iterator[None]:
    """Whatever is recorded inside keeps what the administrator has to say about it."""
    token = _noted.set(note.replace("\0", "").strip()[:LONGEST_NOTE])
    try:
        yield
    finally:
        _noted.reset(token)


def record(
    action: str,
    *,
    actor: str,
    subject_type: str,
    subject: str,
    address: str | None = None,
    status: AuditEntry.Status = AuditEntry.Status.SUCCESS,
    details: dict[str, Any] | None = None,
) -> None:
    _entry(action, actor, subject_type, subject, address, status, details).save()


def record_each(
    action: str,
    several: Iterable[tuple[str, dict[str, Any]]],
    *,
    actor: str,
    subject_type: str,
    address: str | None = None,
) -> None:
    """Subjects with their details, in one statement."""
    success = AuditEntry.Status.SUCCESS
    AuditEntry.objects.bulk_create(
        [_entry(action, actor, subject_type, name, address, success, details) for name, details in several]
    )


def _entry(
    action: str,
    actor: str,
    subject_type: str,
    subject: str,
    address: str | None,
    status: AuditEntry.Status,
    details: dict[str, Any] | None,
) -> AuditEntry:
    return AuditEntry(
        action=action,
        actor=actor[:255],
        address=plain_address(address or _came_from.get()),
        subject_type=subject_type,
        subject=subject[:255],
        status=status,
        details=(details or {}) | ({NOTE: note} if (note := _noted.get()) else {}),
    )


def bound(action: str, *, since: datetime, newest: int) -> None:
    """Drop entries of an action that strangers cause: those before `since`, and all but the `newest`."""
    entries = AuditEntry.objects.filter(action=action)
    entries.filter(at__lt=since).delete()
    if one_too_many := entries.order_by("-at").values_list("at", flat=True)[newest : newest + 1].first():
        entries.filter(at__lte=one_too_many).delete()


def plain_address(address: str | None) -> str | None:
    """An address as the column takes it, without the name of a network interface; None when it is not one."""
    try:
        return str(ip_address((address or "").partition("%")[0]))
    except ValueError:
        return None
