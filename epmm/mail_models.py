"""Mail that waits for its server, and what came of it."""

from datetime import datetime
from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from epmm.fields import EncryptedField

LONGEST_ANSWER: Final = 500


class MailQuerySet(models.QuerySet["Mail"]):
    def waiting(self) -> Self:
        return self.filter(state=Mail.State.QUEUED)

    def due(self, now: datetime) -> Self:
        """Neither put off nor in the hands of a worker: both say so in `next_at`."""
        return self.waiting().filter(next_at__lte=now)


class Mail(models.Model):
    """One message to one recipient, written in the transaction that makes it necessary."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")
        STOPPED = "stopped", _("Stopped")

    # the same however often it is sent: by it a server that has the message already can tell
    message_id = models.CharField(max_length=255, unique=True)
    kind = models.CharField(max_length=32)
    recipient = models.CharField(max_length=320)
    content = EncryptedField(null=True)  # the whole message, and nothing once it has gone: it may hold a PIN
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    next_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=LONGEST_ANSWER, blank=True)  # what the server said last

    objects = MailQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "mail"
        indexes: ClassVar = [
            models.Index(fields=["next_at"], condition=Q(state="queued"), name="mail_queued"),
            models.Index(fields=["done_at"], name="mail_done"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.message_id} {self.state}"
