"""Finished commands: kept by month, and for as long as the policy says."""

import logging
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from devices.models import Broadcast, Command, DeclarationRun, Enrollment, FinishedCommand, Payload, Result
from devices.models.command import AWAITED
from devices.services import action_runs
from epmm import options, settings_store
from epmm.models import Job

MONTHS_AHEAD: Final = 2
AT_ONCE: Final = 5000  # rows to delete in one transaction
AGAIN: Final = timedelta(minutes=10)
KIND: Final = "devices.archive"
LOCK_SECONDS: Final = 1
LOCK_NOT_AVAILABLE: Final = "55P03"  # PostgreSQL, Appendix A
_TABLE: Final = FinishedCommand._meta.db_table

logger = logging.getLogger(__name__)


class BeingRead(Exception):
    pass


def keep_in_shape() -> None:
    """Once a day: room for what comes, an end to what is too old."""
    now = timezone.now()
    oldest = now - timedelta(days=settings_store.read(options.COMMAND_HISTORY_DAYS))
    await_no_longer(now)
    try:
        make_room(now)
        expire(oldest)
    except BeingRead:
        logger.info("the archive is being read; its months are looked at again in some minutes")
        Job.enqueue(KIND, run_at=now + AGAIN, dedupe_key=f"{KIND} again")
    action_runs.forget(oldest)
    forget_unused_payloads(oldest - timedelta(days=2))  # their date of use is exact to a day


def await_no_longer(now: datetime) -> None:
    """What was called back and is never answered; and what an enrollment was given in the moment it ended."""
    Command.objects.filter(state=Command.State.CANCELLED, offered_at__lt=now - AWAITED).cancel()
    Command.objects.filter(channel__enrollment__state=Enrollment.State.ENDED).cancel()


def make_room(now: datetime) -> None:
    """A partition for this month and the next ones; without one, rows go to the default partition."""
    if connection.vendor != "postgresql":
        return
    month = now.astimezone(UTC).date().replace(day=1)
    for _ in range(MONTHS_AHEAD + 1):
        following = _next(month)
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass(%s)", [_partition(month)])
            is_missing = cursor.fetchone() == (None,) and not _default_holds(month, following)
        if is_missing:
            bounds = [_midnight(month).isoformat(), _midnight(following).isoformat()]
            statement = f"CREATE TABLE {_partition(month)} PARTITION OF {_TABLE} FOR VALUES FROM ('{{}}') TO ('{{}}')"
            with suppress(IntegrityError):  # the first answers of that month have come since
                _change_tables(statement.format(*bounds))
        month = following


def expire(oldest: datetime) -> None:
    """Drop whole months where they are tables, and delete the rest in small bites."""
    if connection.vendor == "postgresql":
        for month in _months():
            if _midnight(_next(month)) <= oldest:
                _change_tables(f"DROP TABLE {_partition(month)}")
    old, last = FinishedCommand.objects.filter(done_at__lt=oldest).order_by("pk"), 0
    while ids := list(old.filter(pk__gt=last).values_list("pk", flat=True)[:AT_ONCE]):
        FinishedCommand.objects.filter(pk__in=ids, done_at__lt=oldest).delete()
        last = ids[-1]  # or each bite would look at all that the ones before it left
    finished = Broadcast.objects.filter(created_at__lt=oldest).exclude(
        Exists(Command.objects.filter(broadcast=OuterRef("pk")))
    )
    finished.delete()
    DeclarationRun.objects.filter(created_at__lt=oldest).delete()


def forget_unused_payloads(before: datetime) -> None:
    """What is open or unread now may be in the archive for as long as the policy says: it counts as used today."""
    old = Payload.objects.filter(used_at__lt=before)
    with transaction.atomic():
        for rows in (Command.objects, Result.objects):
            old.filter(Exists(rows.filter(payload=OuterRef("pk")))).update(used_at=timezone.now())
        old.delete()


def _months() -> list[date]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT right(child.relname, 6) FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid"
            " WHERE inhparent = to_regclass(%s) AND child.relname ~ '_[0-9]{6}$'",
            [_TABLE],
        )
        return [datetime.strptime(name, "%Y%m").date() for (name,) in cursor.fetchall()]  # noqa: DTZ007 -- a month


def _change_tables(statement: str) -> None:
    """Not for long: all who come after one that waits for a table wait behind it, whatever they would do with it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS * 1000:.0f}ms'")
            cursor.execute(statement)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != LOCK_NOT_AVAILABLE:
            raise
        raise BeingRead from error


def _default_holds(month: date, following: date) -> bool:
    """Rows that came before their partition stay where they are, and PostgreSQL then refuses to make it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM {_TABLE}_default WHERE done_at >= %s AND done_at < %s)",  # noqa: S608
            [_midnight(month), _midnight(following)],
        )
        (holds,) = cursor.fetchone()
    return bool(holds)


def _partition(month: date) -> str:
    return f"{_TABLE}_{month:%Y%m}"


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _next(month: date) -> date:
    return (month.replace(day=28) + timedelta(days=4)).replace(day=1)
