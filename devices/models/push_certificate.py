from datetime import datetime
from typing import ClassVar, Final

from django.db import models
from django.db.models import Q
from django.utils import timezone

from epmm.fields import EncryptedField

THE_ONLY: Final = 1  # primary key: the database holds at most one row of each of these tables


class PushRequest(models.Model):
    """A key, and the request for a certificate that Apple has not answered yet."""

    id = models.SmallIntegerField(primary_key=True, default=THE_ONLY, editable=False)
    private_key = EncryptedField()  # PKCS #8
    key_sha256 = models.BinaryField(max_length=32)
    csr = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=THE_ONLY), name="push_request_only")]

    def __str__(self) -> str:
        return f"push certificate request of {self.created_at:%Y-%m-%d}"


class PushCertificate(models.Model):
    """The certificate that wakes devices.  A renewed one takes its place; the audit remembers those before."""

    id = models.SmallIntegerField(primary_key=True, default=THE_ONLY, editable=False)
    private_key = EncryptedField()  # PKCS #8
    key_sha256 = models.BinaryField(max_length=32)
    certificate = models.BinaryField()
    sha256 = models.BinaryField(max_length=32)
    topic = models.CharField(max_length=255)
    serial_number = models.CharField(max_length=64)
    issuer = models.TextField()
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    installed_at = models.DateTimeField(default=timezone.now)
    apple_account = models.CharField(max_length=320, blank=True)  # whom it was issued to, for whoever renews it
    refused_at = models.DateTimeField(null=True)  # when APNs last did not take it
    warned_days = models.SmallIntegerField(null=True)  # the last threshold that was warned of

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(id=THE_ONLY), name="push_certificate_only")]

    def __str__(self) -> str:
        return self.topic

    def days_left(self, now: datetime) -> int:
        """Whole days; negative once it has expired."""
        return (self.not_after - now).days
