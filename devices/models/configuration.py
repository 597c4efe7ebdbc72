"""Configurations, their versions, and whom they are assigned to."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from devices.models.device import Device
from devices.models.label import Label
from devices.protocol.configuration_profile import Payload
from epmm.fields import EncryptedField
from epmm.spaces import InSpace


class ConfigurationQuerySet(models.QuerySet["Configuration"]):
    def standing(self) -> Self:
        return self.filter(removed_at=None)


class Configuration(InSpace):
    """A profile by its top-level PayloadIdentifier, which devices know it by: whatever becomes of it, that stays."""

    class Scope(models.TextChoices):
        SYSTEM = "System", _("Device")
        USER = "User", _("User of a Mac")

    identifier = models.CharField(max_length=255, unique=True)
    name = models.CharField(max_length=255)
    description = models.TextField(blank=True)
    scope = models.CharField(max_length=8, choices=Scope.choices)  # decides the channel, so it stays as well
    created_at = models.DateTimeField(default=timezone.now)
    # it goes from the devices first, and then from here
    removed_at = models.DateTimeField(null=True)
    current = models.ForeignKey("ConfigurationVersion", on_delete=models.RESTRICT, null=True, related_name="+")

    objects = ConfigurationQuerySet.as_manager()

    def __str__(self) -> str:
        return self.identifier


class ConfigurationVersion(models.Model):
    """What was uploaded, to the byte, and what it says about itself.  Never changed."""

    configuration = models.ForeignKey(Configuration, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    content = EncryptedField()
    size = models.PositiveIntegerField()
    profile_uuid = models.CharField(max_length=64)
    payloads = models.JSONField()
    signer = models.CharField(max_length=255, blank=True)
    is_signed = models.BooleanField()
    uploaded_at = models.DateTimeField(default=timezone.now)
    uploaded_by = models.CharField(max_length=255)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["configuration", "number"], name="configuration_version_once")
        ]

    def __str__(self) -> str:
        return f"{self.configuration_id} version {self.number}"

    @staticmethod
    def digest_of(content: bytes) -> str:
        """SHA-256 with a key: a password must not be found out by trying profiles."""
        return salted_hmac("devices.configuration", content, algorithm="sha256").hexdigest()

    @property
    def outline(self) -> list[Payload]:
        return [Payload.from_json(stored) for stored in self.payloads]


class ConfigurationAssignment(models.Model):
    """To one device, or to those of a label."""

    configuration = models.ForeignKey(Configuration, on_delete=models.CASCADE, related_name="assignments")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, null=True, related_name="configuration_assignments")
    label = models.ForeignKey(Label, on_delete=models.CASCADE, null=True, related_name="configuration_assignments")
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=255)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(device__isnull=True) ^ Q(label__isnull=True), name="assignment_has_one_target"
            ),
            models.UniqueConstraint(fields=["configuration", "device"], name="assignment_to_device_once"),
            models.UniqueConstraint(fields=["configuration", "label"], name="assignment_to_label_once"),
        ]

    def __str__(self) -> str:
        return f"{self.configuration_id} for {self.device or self.label}"
