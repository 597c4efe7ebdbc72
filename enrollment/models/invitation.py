from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from devices.models import Device
from epmm.models import Mail
from epmm.spaces import InSpace
from users.models import User


class InvitationTemplate(models.Model):
    """What an administrator wrote instead of the built-in text of a language."""

    class Kind(models.TextChoices):
        INVITATION = "invitation", _("Invitation")
        REMINDER = "reminder", _("Reminder")

    kind = models.CharField(max_length=12, choices=Kind.choices)
    language = models.CharField(max_length=3)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.CharField(max_length=255)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "language"], name="invitation_template_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.language}"


class InvitationRound(InSpace):
    """One press of Send: what was written, and whether and how often it is repeated."""

    language = models.CharField(max_length=3)
    subject = models.CharField(max_length=200)
    text = models.TextField()
    has_pin = models.BooleanField(default=False)
    remind_after_days = models.PositiveSmallIntegerField(null=True)
    reminders = models.PositiveSmallIntegerField(default=0)  # at most, for each person
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=255)

    def __str__(self) -> str:
        return f"{self.created_at:%Y-%m-%d %H:%M} {self.created_by}"


class Invitation(models.Model):
    """One person, invited: how far it has come."""

    class End(models.TextChoices):
        ENROLLED = "enrolled", _("Enrolled")
        EXPIRED = "expired", _("Expired")
        STOPPED = "stopped", _("Stopped")
        REPLACED = "replaced", _("Invited again")

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="invitations")
    # null: nothing was sent, the person is told by somebody
    round = models.ForeignKey(InvitationRound, on_delete=models.CASCADE, null=True, related_name="invitations")
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="invitations")
    mail = models.ForeignKey(Mail, on_delete=models.SET_NULL, null=True, related_name="+")  # the last one
    owner = models.CharField(max_length=8, choices=Device.Owner.choices, blank=True)  # empty: as the settings say
    token = models.CharField(max_length=32, unique=True)  # in its addresses: it says who opened the page, no more
    problem = models.CharField(max_length=300, blank=True)  # why nothing could be sent at all
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    reminded = models.PositiveSmallIntegerField(default=0)
    remind_at = models.DateTimeField(null=True)
    end = models.CharField(max_length=8, choices=End.choices, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["created_at", "id"], name="invitation_order"),
            models.Index(
                fields=["remind_at"], condition=Q(end="") & Q(remind_at__isnull=False), name="invitation_remind"
            ),
            models.Index(fields=["expires_at"], condition=Q(end=""), name="invitation_expires"),
            models.Index(fields=["end", "created_at", "id"], name="invitation_end"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user"], condition=Q(end=""), name="invited_once"),
        ]

    def __str__(self) -> str:
        return f"Invitation of {self.user_id}"
