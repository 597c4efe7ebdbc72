"""Finished commands: kept by month, and for as long as the policy says."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from devices.models import Broadcast, Command, DeclarationRun, Enrollment, FinishedCommand, Payload, Result
from devices.models.command import AWAITED
from devices.services import action_runs
from epmm import options, settings_store

MONTHS_AHEAD: Final = 2
AT_ONCE: Final = 5000  # rows to delete in one transaction
_TABLE: Final = FinishedCommand._meta.db_table


def keep_in_shape() -> None:
    """Once a day: room for what comes, an end to what is too old."""
    now = timezone.now()
    oldest = now - timedelta(days=settings_store.read(options.COMMAND_HISTORY_DAYS))
    make_room(now)
    await_no_longer(now)
    expire(oldest)
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
            if cursor.fetchone() == (None,) and not _default_holds(month, following):
                bounds = [_midnight(month).isoformat(), _midnight(following).isoformat()]
                statement = (
                    f"CREATE TABLE {_partition(month)} PARTITION OF {_TABLE} FOR VALUES FROM ('{{}}') TO ('{{}}')"
                )
                cursor.execute(statement.format(*bounds))
        month = following


def expire(oldest: datetime) -> None:
    """Drop whole months where they are tables, and delete the rest in small bites."""
    if connection.vendor == "postgresql":
        for month in _months():
            if _midnight(_next(month)) <= oldest:
                with connection.cursor() as cursor:
                    cursor.execute(f"DROP TABLE {_partition(month)}")
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
