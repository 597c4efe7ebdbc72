"""What is done to more rows than a request has time for: what was ordered, whom it goes to, and what came of each."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from epmm.fields import EncryptedField
from epmm.spaces import InSpace


class Run(InSpace):
    """One action, and how far the worker has come."""

    action = models.CharField(max_length=32)
    values = EncryptedField()  # what was typed, as JSON: messages and PINs are among it
    asked = models.TextField(blank=True)  # the address of the list whose rows it goes to
    actor = models.CharField(max_length=255)
    address = models.GenericIPAddressField(null=True)
    language = models.CharField(max_length=16, blank=True)  # of the sentences that it leaves
    created_at = models.DateTimeField(default=timezone.now)
    stopped_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    refusal = models.CharField(max_length=500, blank=True)  # why it came to nothing

    number = models.PositiveIntegerField()  # of rows it goes to
    done = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    last_result = models.BigIntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.action} {self.pk}"

    @property
    def is_running(self) -> bool:
        return self.done_at is None and self.stopped_at is None


class ResultState(models.IntegerChoices):
    WAITING = 0, _("Waiting")
    DONE = 1, _("Done")
    SKIPPED = 2, _("Skipped")


class Result(models.Model):
    """Whom a run goes to, written down when it was ordered, and what came of it; `run` is a key of the model."""

    State = ResultState

    state = models.SmallIntegerField(choices=ResultState.choices, default=ResultState.WAITING)
    said = models.CharField(max_length=500, blank=True)

    class Meta:
        abstract = True
