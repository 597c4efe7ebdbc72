"""How far a device has come with a configuration."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import Exists, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from devices.models.command import Command
from devices.models.configuration import Configuration, ConfigurationAssignment, ConfigurationVersion
from devices.models.enrollment import Channel, Enrollment
from devices.protocol.error_chain import DeviceError
from devices.protocol.sentence import Sentence, packed

OURS: Final = "EPMM"  # the domain of errors that no device made
PAUSES: Final = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(hours=16))


class DeliveryQuerySet(models.QuerySet["ConfigurationDelivery"]):
    def with_sent(self) -> Self:
        """As `is_sent`, for `shown_state`."""
        return self.annotate(is_sent=is_sent())

    def enrolled(self) -> Self:
        return self.filter(channel__enrollment__state=Enrollment.State.ACTIVE)

    def outdated(self) -> Self:
        """Assigned, and another version than the current one is wanted."""
        return self.filter(_is_assigned()).exclude(wanted=F("configuration__current"))

    def unassigned(self) -> Self:
        return self.filter(wanted__isnull=False).exclude(_is_assigned())

    def refused_by_us(self) -> Self:
        """What is wanted does not fit the device: no command for it was queued."""
        failed = {ConfigurationDelivery.State.FAILED, ConfigurationDelivery.State.UPDATE_FAILED}
        return self.filter(state__in=failed, error_domain=OURS, command_id=None, due_at=None, mended=0)

    def want_current(self) -> int:
        current = Configuration.objects.filter(pk=OuterRef("configuration")).values("current")
        return self.update(wanted=Subquery(current[:1]), attempts=0, mended=0, due_at=timezone.now())

    def want_nothing(self) -> int:
        return self.update(wanted=None, attempts=0, mended=0, due_at=timezone.now())

    def write(self, rows: Sequence["ConfigurationDelivery"]) -> None:
        """Locked rows, all at once: an upsert costs a fraction of what `bulk_update` does."""
        self.bulk_create(rows, update_conflicts=True, unique_fields=["id"], update_fields=ConfigurationDelivery.WRITTEN)

    def revoke(self) -> int:
        """Their devices have left, and took the profiles along."""
        return self.exclude(state=ConfigurationDelivery.State.REVOKED).update(
            state=ConfigurationDelivery.State.REVOKED,
            wanted=None,
            installed=None,
            in_doubt=False,
            sent=None,
            command_id=None,
            command_uuid=None,
            due_at=None,
            changed_at=timezone.now(),
        )


def is_sent() -> Q:
    """Of a delivery: its command has gone out.  The door writes the queue alone, so the queue knows.

    It is asked for a value, by the key of each: for an EXISTS PostgreSQL would read all that is queued, for any page.
    """
    state = Subquery(Command.objects.filter(pk=OuterRef("command_id")).values("state"))
    finished = Value(Command.State.ACKNOWLEDGED)  # and out of the queue
    return Q(command_id__isnull=False) & ~Q(Exact(Coalesce(state, finished), Command.State.QUEUED))


def is_shown_as(state: str) -> Q:
    """Of a delivery: this is its `shown_state`."""
    match state:
        case ConfigurationDelivery.State.PENDING:
            return Q(state=state) & ~is_sent()
        case ConfigurationDelivery.State.SENT:
            return Q(state=ConfigurationDelivery.State.PENDING) & is_sent()
        case _:
            return Q(state=state)


def _is_assigned() -> Q:
    """Of a delivery: somebody assigns its configuration to its device, by itself or by a label."""
    standing = ConfigurationAssignment.objects.filter(
        configuration=OuterRef("configuration"), configuration__removed_at=None
    )
    device = OuterRef("channel__enrollment__device")
    return Q(Exists(standing.filter(device=device))) | Q(Exists(standing.filter(label__members__device=device)))


class ConfigurationDelivery(models.Model):
    """One configuration on one channel: what is wanted there, and what there is."""

    class State(models.TextChoices):
        PENDING = "PENDING", _("Pending")
        SENT = "SENT", _("Sent")  # shown, never stored: see `shown_state`
        APPLIED = "APPLIED", _("Applied")
        FAILED = "FAILED", _("Failed")
        REVOKED = "REVOKED", _("Revoked")
        UPDATE_PENDING = "UPDATE_PENDING", _("Update pending")
        UPDATE_FAILED = "UPDATE_FAILED", _("Update failed")
        UNKNOWN = "UNKNOWN", _("Unknown")

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    configuration = models.ForeignKey(
        Configuration, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    state = models.CharField(max_length=20, choices=State.choices, default=State.PENDING)
    wanted = models.ForeignKey(
        ConfigurationVersion, on_delete=models.RESTRICT, null=True, related_name="+", db_index=False
    )
    installed = models.ForeignKey(
        ConfigurationVersion, on_delete=models.RESTRICT, null=True, related_name="+", db_index=False
    )
    in_doubt = models.BooleanField(default=False)  # it may be installed: what came of a command is not known
    # the open command: its key in the queue, its UUID, and the version that it installs; without one it removes
    command_id = models.BigIntegerField(null=True)
    command_uuid = models.UUIDField(null=True)
    sent = models.ForeignKey(
        ConfigurationVersion, on_delete=models.RESTRICT, null=True, related_name="+", db_index=False
    )
    error_code = models.BigIntegerField(null=True)
    error_domain = models.CharField(max_length=128, blank=True)
    error_text = models.CharField(max_length=1000, blank=True)
    error_parts = models.JSONField(null=True)  # of a sentence of ours, which is read in another language, too
    attempts = models.PositiveSmallIntegerField(default=0)  # that failed, one after the other
    mended = models.PositiveSmallIntegerField(default=0)  # times that it was found gone or changed, likewise
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    installed_at = models.DateTimeField(null=True)  # the last time; what we never installed we never remove
    answered_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    # when there is something to do: at once, or after a pause
    due_at = models.DateTimeField(null=True, default=timezone.now)

    objects = DeliveryQuerySet.as_manager()

    WRITTEN: ClassVar = (
        "state", "wanted", "installed", "in_doubt", "command_id", "command_uuid", "sent", "error_code",
        "error_domain", "error_text", "error_parts", "attempts", "mended", "changed_at", "installed_at", "answered_at",
        "checked_at", "due_at",
    )  # fmt: skip

    class Meta:
        verbose_name_plural = "configuration deliveries"
        indexes: ClassVar = [
            models.Index(fields=["configuration", "state", "id"], name="delivery_in_state"),
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="delivery_due"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["channel", "configuration"], name="delivery_once"),
        ]

    def __str__(self) -> str:
        return f"{self.configuration_id} on {self.channel_id}"

    @property
    def may_be_installed(self) -> bool:
        return self.installed_id is not None or self.in_doubt

    @property
    def shown_state(self) -> State:
        """Of a row read `with_sent`."""
        state = self.State(self.state)
        is_sent: bool = getattr(self, "is_sent")  # noqa: B009 - an annotation is no attribute of the class
        return self.State.SENT if is_sent and state == self.State.PENDING else state

    def wait(self, due_at: datetime | None = None) -> None:
        """For the answer to a command, or for the moment to order one."""
        updates = self.installed_id is not None and self.wanted_id is not None
        self.state, self.due_at = self.State.UPDATE_PENDING if updates else self.State.PENDING, due_at

    def conclude(self, now: datetime) -> None:
        """All is said about what is there: if something else is wanted, there is something to do."""
        self.in_doubt = False
        if self.wanted_id != self.installed_id:
            self.wait(now)
            return
        self.state = self.State.APPLIED if self.wanted_id is not None else self.State.REVOKED
        self.attempts, self.due_at = 0, None
        self._say(DeviceError())

    def fail(self, error: DeviceError, *, again_at: datetime | None = None) -> None:
        updates = self.installed_id is not None and self.wanted_id is not None
        self.state, self.due_at = self.State.UPDATE_FAILED if updates else self.State.FAILED, again_at
        self._say(error)

    def _say(self, error: DeviceError) -> None:
        self.error_code, self.error_domain, self.error_text = error.code, error.domain, error.text
        self.error_parts = packed(error.text) if isinstance(error.text, Sentence) else None

    def forget_command(self) -> None:
        self.command_id = self.command_uuid = self.sent = None


def after_failures(failures: int, now: datetime) -> datetime | None:
    """When to try again; None when it was often enough, and somebody has to look."""
    return now + PAUSES[failures] if failures < len(PAUSES) else None
