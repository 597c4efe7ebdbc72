from typing import ClassVar

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from devices.models.device import Device
from epmm.fields import EncryptedField


class ActionRun(models.Model):
    """One action to more devices than a request has time for: what was ordered, and how far the worker has come."""

    action = models.CharField(max_length=32)
    values = EncryptedField()  # what was typed, as JSON: messages and PINs are among it
    asked = models.TextField(blank=True)  # the address of the list whose devices it goes to
    actor = models.CharField(max_length=255)
    address = models.GenericIPAddressField(null=True)
    language = models.CharField(max_length=16, blank=True)  # of the sentences that it leaves
    created_at = models.DateTimeField(default=timezone.now)
    stopped_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    refusal = models.CharField(max_length=500, blank=True)  # why it came to nothing

    number = models.PositiveIntegerField()  # of devices
    done = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    last_result = models.BigIntegerField(default=0)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["created_at"], name="action_run_created")]

    def __str__(self) -> str:
        return f"{self.action} {self.pk}"

    @property
    def is_running(self) -> bool:
        return self.done_at is None and self.stopped_at is None


class ActionResult(models.Model):
    """Whom a run goes to, written down when it was ordered, and what came of it."""

    class State(models.IntegerChoices):
        WAITING = 0, _("Waiting")
        DONE = 1, _("Done")
        SKIPPED = 2, _("Skipped")

    run = models.ForeignKey(ActionRun, on_delete=models.CASCADE, related_name="results", db_index=False)
    # a record that is deleted leaves its number here, and nobody looks for its results by it
    device = models.ForeignKey(
        Device, on_delete=models.DO_NOTHING, null=True, related_name="+", db_index=False, db_constraint=False
    )
    state = models.SmallIntegerField(choices=State.choices, default=State.WAITING)
    said = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["run", "id"], name="action_result_of_run"),
            models.Index(fields=["run", "state", "id"], name="action_result_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}: {self.device_id}"
