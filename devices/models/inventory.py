from typing import ClassVar

from django.db import models

from devices.models.device import Device


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
