import uuid
from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from devices.models.enrollment import Channel

REPORTS_KEPT: Final = 5


class CommandQuerySet(models.QuerySet["Command"]):
    def open(self) -> Self:
        """Commands without a stored result: each is offered again until it has one."""
        return self.filter(state__in=OPEN_STATES)

    def cancel(self) -> int:
        return self.open().update(state=Command.State.CANCELLED, done_at=timezone.now())


class Command(models.Model):
    """One command to one channel, rendered when it is queued."""

    class State(models.IntegerChoices):
        QUEUED = 0
        OFFERED = 1
        NOT_NOW = 2
        ACKNOWLEDGED = 3
        ERROR = 4
        FORMAT_ERROR = 5
        CANCELLED = 6

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="commands", db_index=False)
    request_type = models.CharField(max_length=64)
    state = models.SmallIntegerField(choices=State.choices, default=State.QUEUED)
    priority = models.SmallIntegerField(default=0)  # lower goes first
    rendered = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)
    offered_at = models.DateTimeField(null=True)
    not_now_at = models.DateTimeField(null=True)
    not_now_count = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True)

    objects = CommandQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            # the only index that the door needs: it holds open commands, however many are finished
            models.Index(fields=["channel", "priority", "id"], condition=Q(state__lt=3), name="command_open"),
        ]

    def __str__(self) -> str:
        return f"{self.request_type} {self.uuid}"


OPEN_STATES: Final = (Command.State.QUEUED, Command.State.OFFERED, Command.State.NOT_NOW)


class ResultQuerySet(models.QuerySet["Result"]):
    def undigested(self) -> Self:
        return self.filter(digested_at=None)


class Result(models.Model):
    """What a device answered, as it sent it.  A row not yet digested is the worker's work."""

    command = models.OneToOneField(Command, on_delete=models.CASCADE, primary_key=True, related_name="result")
    status = models.SmallIntegerField(choices=Command.State.choices)
    body = models.BinaryField()
    received_at = models.DateTimeField(default=timezone.now)
    digested_at = models.DateTimeField(null=True)

    objects = ResultQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["command"], condition=Q(digested_at=None), name="result_undigested"),
        ]

    def __str__(self) -> str:
        return f"result of {self.command_id}"


class StatusReportManager(models.Manager["StatusReport"]):
    def keep(self, channel: Channel, body: bytes) -> None:
        """The newest ones of each channel; a device sends a full one every day."""
        self.create(channel=channel, body=body)
        newest = self.filter(channel=channel).order_by("-pk").values_list("pk", flat=True)[:REPORTS_KEPT]
        self.filter(channel=channel, pk__lt=min(newest)).delete()


class StatusReport(models.Model):
    """A declarative status report, as the device sent it."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="status_reports")
    body = models.BinaryField()
    received_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[StatusReportManager] = StatusReportManager()

    def __str__(self) -> str:
        return f"status report {self.pk}"
