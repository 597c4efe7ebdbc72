from typing import ClassVar

from django.db import models

from devices.models.device import Device
from devices.models.enrollment import Enrollment
from epmm.fields import EncryptedField


class InstalledApplication(models.Model):
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="applications")
    identifier = models.CharField(max_length=255)
    name = models.CharField(max_length=255, blank=True)
    version = models.CharField(max_length=64, blank=True)
    short_version = models.CharField(max_length=64, blank=True)
    bundle_size = models.BigIntegerField(null=True)
    dynamic_size = models.BigIntegerField(null=True)
    details = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["identifier"], name="application_identifier")]

    def __str__(self) -> str:
        return self.identifier


class InstalledProfile(models.Model):
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="profiles")
    identifier = models.CharField(max_length=255)
    profile_uuid = models.CharField(max_length=64, blank=True)
    display_name = models.CharField(max_length=255, blank=True)
    is_managed = models.BooleanField(null=True)
    details = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.identifier


class InstalledCertificate(models.Model):
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="certificates")
    common_name = models.CharField(max_length=255, blank=True)
    is_identity = models.BooleanField(default=False)
    sha256 = models.CharField(max_length=64, blank=True)
    not_after = models.DateTimeField(null=True)
    der = models.BinaryField()

    def __str__(self) -> str:
        return self.common_name


class ManagedApplication(models.Model):
    """An application that we installed or took over; Apple's states say how far that came."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="managed_applications")
    identifier = models.CharField(max_length=255)
    state = models.CharField(max_length=64, blank=True)
    rejection = models.CharField(max_length=64, blank=True)
    # By a declaration: status reports tell of it, and no answer to ManagedApplicationList.
    is_declared = models.BooleanField(default=False, db_default=False)
    details = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["identifier", "state"], name="managed_application_state")]

    def __str__(self) -> str:
        return f"{self.identifier} {self.state}"


class LocalUser(models.Model):
    """An account of a Mac."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="local_users")
    name = models.CharField(max_length=255)
    full_name = models.CharField(max_length=255, blank=True)
    uid = models.BigIntegerField(null=True)
    guid = models.CharField(max_length=64, blank=True)
    is_logged_in = models.BooleanField(null=True)
    has_secure_token = models.BooleanField(null=True)
    details = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["name"], name="local_user_name")]

    def __str__(self) -> str:
        return self.name


class AvailableUpdate(models.Model):
    """An update of the system that the device could install."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="available_updates")
    product_key = models.CharField(max_length=255)
    name = models.CharField(max_length=255, blank=True)
    version = models.CharField(max_length=64, blank=True)
    build = models.CharField(max_length=32, blank=True)
    is_critical = models.BooleanField(null=True)
    restart_required = models.BooleanField(null=True)
    is_security_response = models.BooleanField(null=True)
    details = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["version"], name="available_update_version")]

    def __str__(self) -> str:
        return self.product_key


class Answer(models.Model):
    """The last answer to one query, for what people look at and no search needs.

    Apart from the record's own `details`, which each DeviceInformation reads and writes.
    """

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="answers")
    request_type = models.CharField(max_length=64)
    user_key = models.CharField(max_length=128, blank=True)  # empty: of the device itself
    content = models.JSONField(default=dict)
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["device", "request_type", "user_key"], name="answer_once"),
        ]

    def __str__(self) -> str:
        return self.request_type


class Secret(models.Model):
    """What a device handed over that opens it.  It belongs to the enrollment, and dies with it."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="secrets")
    name = models.CharField(max_length=64)  # Apple's name of the key that carried it
    value = EncryptedField()
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["enrollment", "name"], name="secret_once")]

    def __str__(self) -> str:
        return self.name
