"""A command's way through three tables, each of which holds what one stage needs and no more.

`Command` is the queue: narrow, and only what is open.  The door takes an answered row out of it and puts the answer
into `Result`, in one statement; the worker reads that and moves it to `FinishedCommand`, which expires by policy.  So
what a device did last year costs its next connect nothing.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Self, TypeAlias

from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from devices.models.broadcast import Broadcast
from devices.models.enrollment import Channel
from devices.models.payload import Payload
from devices.protocol.stamp import stamp
from epmm.fields import CompressedField
from epmm.loaded import Loaded

CANCELLED_AT_ONCE: Final = 1000
LONGEST_NOT_NOW: Final = timedelta(hours=4)  # a device that answers so is asked again within it
AWAITED: Final = timedelta(days=30)  # the answer to what was called back after it had gone out


class CommandRow(Loaded):
    """What a command is, in whichever table it stands.

    Its relations have no constraint in the database: each would be a look-up for each row that is moved.
    """

    class State(models.IntegerChoices):
        QUEUED = 0
        OFFERED = 1
        NOT_NOW = 2
        ACKNOWLEDGED = 3
        ERROR = 4
        FORMAT_ERROR = 5
        CANCELLED = 6

    uuid = models.UUIDField(default=uuid.uuid4, editable=False)
    channel = models.ForeignKey(
        Channel, on_delete=models.CASCADE, related_name="%(class)ss", db_index=False, db_constraint=False
    )
    payload = models.ForeignKey(
        Payload, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    broadcast = models.ForeignKey(
        Broadcast,
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="%(class)ss",
        db_index=False,
        db_constraint=False,
    )
    request_type = models.CharField(max_length=64)
    state = models.SmallIntegerField(choices=State.choices)
    created_at = models.DateTimeField(default=timezone.now)
    offered_at = models.DateTimeField(null=True)
    # asked again and again: what is answered stands in the record, and in no archive
    is_routine = models.BooleanField(default=False, db_default=False)
    # asks for less than EPMM would there: what its answer leaves out may be there all the same
    is_partial = models.BooleanField(default=False, db_default=False)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.request_type} {self.uuid}"

    @property
    def rendered(self) -> bytes:
        """What the device gets, or got."""
        return stamp(self.payload.rendered, self.uuid)

    @property
    def done_at(self) -> datetime | None:
        return None

    def moved(self) -> dict[str, Any]:
        """What it takes along from table to table."""
        return {column: getattr(self, column) for column in MOVED}


MOVED: Final = ("id", *(field.attname for field in CommandRow._meta.concrete_fields if field.name != "state"))
State: TypeAlias = CommandRow.State


class CommandQuerySet(models.QuerySet["Command"]):
    def open(self) -> Self:
        """Without those that were called back and wait for their answer alone."""
        return self.exclude(state=State.CANCELLED)

    def urgent(self) -> Self:
        """What goes before all that waits; `command_push_urgent` holds nothing else."""
        return self.filter(priority__lt=0)

    def cancel(self) -> int:
        """Take them out of the queue for good; return how many there were."""
        cancelled = some = self._cancel_some()
        while some == CANCELLED_AT_ONCE:
            cancelled += (some := self._cancel_some())
        return cancelled

    @transaction.atomic
    def call_back(self) -> "list[Command]":
        """Let devices have some of them no more; return which.

        One that a device has already it may carry out: that stays in the queue, offered no more, so that its answer
        counts.
        """
        rows = _locked(self.open())
        gone = [row for row in rows if row.state != State.QUEUED]
        # without the moment at which it was put off, which has the door offer it again
        called_back = Command.objects.filter(pk__in=[row.pk for row in gone])
        called_back.update(state=State.CANCELLED, not_now_at=None)
        _finish([row for row in rows if row.state == State.QUEUED])
        return rows

    @transaction.atomic
    def _cancel_some(self) -> int:
        rows = _locked(self)
        _finish(rows)
        return len(rows)


def _locked(commands: "CommandQuerySet") -> "list[Command]":
    return list(commands.select_for_update(of=("self",)).order_by("pk")[:CANCELLED_AT_ONCE])


def _finish(rows: "Sequence[Command]") -> None:
    from devices import events  # it reads the models

    now = timezone.now()
    FinishedCommand.objects.bulk_create(FinishedCommand.of(row, State.CANCELLED, now) for row in rows)
    Command.objects.filter(pk__in=[row.pk for row in rows]).delete()
    events.commands_finished(rows, State.CANCELLED)


class Command(CommandRow):
    """One open command to one channel: offered again until its result is stored, or until it is called back."""

    state = models.SmallIntegerField(choices=State.choices, default=State.QUEUED)
    priority = models.SmallIntegerField(default=0)  # lower goes first
    not_now_at = models.DateTimeField(null=True)
    not_now_count = models.PositiveIntegerField(default=0)
    # when its device is to be woken for it: at once, again when nothing comes of that, later after a NotNow
    push_at = models.DateTimeField(default=timezone.now)

    objects = CommandQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["channel", "priority", "id"], name="command_next"),
            models.Index(fields=["push_at"], name="command_push"),
            models.Index(fields=["push_at"], condition=Q(priority__lt=0), name="command_push_urgent"),
            models.Index(fields=["broadcast"], condition=Q(broadcast__isnull=False), name="command_broadcast"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["uuid"], name="command_once"),
            models.CheckConstraint(
                condition=Q(state__lte=State.NOT_NOW) | Q(state=State.CANCELLED), name="command_in_queue"
            ),
        ]


class Result(CommandRow):
    """What a device answered, as it sent it; its key is that of the command.  Each row is the worker's work."""

    id = models.BigIntegerField(primary_key=True)
    body = models.BinaryField()
    received_at = models.DateTimeField(default=timezone.now)

    @property
    def done_at(self) -> datetime:
        return self.received_at

    @classmethod
    def of(cls, row: Command, state: State, received_at: datetime, body: bytes) -> Self:
        return cls(**row.moved(), state=state, received_at=received_at, body=body)


class FinishedCommand(CommandRow):
    """The archive: on PostgreSQL partitioned by the month of `done_at`, see `devices/services/archive.py`."""

    id = models.BigIntegerField(primary_key=True)
    done_at = models.DateTimeField()
    body = CompressedField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["channel", "-id"], name="finished_of_channel"),
            models.Index(
                fields=["broadcast", "state"], condition=Q(broadcast__isnull=False), name="finished_of_broadcast"
            ),
        ]

    @classmethod
    def of(cls, row: CommandRow, state: State, done_at: datetime, body: bytes | None = None) -> Self:
        return cls(**row.moved(), state=state, done_at=done_at, body=body)
