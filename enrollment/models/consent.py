from typing import ClassVar, Final

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from enrollment.models.attempt import Attempt
from users.models import User

LONGEST_NAME: Final = 100


class PolicyText(models.Model):
    """One version of the privacy page or the terms, as people saw it."""

    class Kind(models.TextChoices):
        PRIVACY = "privacy"
        TERMS = "terms"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    version = models.PositiveIntegerField()
    language = models.CharField(max_length=35)  # with the country, where the text is for one
    text = models.TextField()
    text_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "language", "text_sha256"], name="policy_text_once"),
            models.UniqueConstraint(fields=["kind", "language", "version"], name="policy_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.version} {self.language}"


class LocalText(models.Model):
    """What an administrator wrote for a language, perhaps for one country; people see versions of it."""

    class Type(models.TextChoices):
        SYSTEM = "System", _("System")  # EPMM's word for what Apple devices show; there is no other here

    kind = models.CharField(max_length=8, choices=PolicyText.Kind.choices)
    language = models.CharField(max_length=3)
    country = models.CharField(max_length=3, blank=True)
    type = models.CharField(max_length=8, choices=Type.choices, default=Type.SYSTEM)
    # of terms for whom a rule names them; empty: for everybody else
    name = models.CharField(max_length=LONGEST_NAME, blank=True, default="", db_default="")
    content = models.TextField()
    notice_email = models.CharField(max_length=320, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.CharField(max_length=255)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "name", "language", "country", "type"], name="named_text_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.tag}"

    @property
    def tag(self) -> str:
        return f"{self.language}-{self.country}" if self.country else self.language


class Acceptance(models.Model):
    """Who accepted which version, when and from where."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="acceptances")
    policy = models.ForeignKey(PolicyText, on_delete=models.PROTECT, related_name="acceptances")
    attempt = models.ForeignKey(Attempt, on_delete=models.SET_NULL, null=True, related_name="acceptances")
    accepted_at = models.DateTimeField(default=timezone.now)
    address = models.GenericIPAddressField(null=True)

    class Meta:
        constraints: ClassVar = [
            # The button may be pressed twice, and an answer may be lost.
            models.UniqueConstraint(fields=["user", "policy", "attempt"], name="acceptance_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} accepted {self.policy_id}"
