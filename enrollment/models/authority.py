from typing import ClassVar

from django.db import models
from django.utils import timezone

from devices.models import Enrollment, Identity
from epmm.fields import EncryptedField


class Authority(models.Model):
    """A key of ours with its certificate; the key is encrypted at rest and never leaves the server."""

    class Purpose(models.TextChoices):
        DEVICE_CA = "device_ca"  # signs device identities
        SCEP_RA = "scep_ra"  # RSA, takes part in SCEP for the CA
        PROFILE_SIGNER = "profile_signer"  # where no TLS certificate is at hand

    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    certificate = models.BinaryField()
    private_key = EncryptedField()
    created_at = models.DateTimeField(default=timezone.now)
    is_current = models.BooleanField(default=True)

    class Meta:
        verbose_name_plural = "authorities"
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["purpose"], condition=models.Q(is_current=True), name="authority_current_once"
            ),
        ]

    def __str__(self) -> str:
        return self.purpose


class ScepChallenge(models.Model):
    """The one-time password of one profile: `<reference>-<secret>`, good for one key."""

    reference = models.CharField(max_length=32, unique=True)
    secret = EncryptedField()
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="scep_challenges")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    # set when it is used: a repeat after a lost reply names the same transaction or key, and gets the same certificate
    used_at = models.DateTimeField(null=True)
    transaction_id = models.CharField(max_length=255, blank=True)
    public_key_sha256 = models.BinaryField(max_length=32, null=True)
    identity = models.OneToOneField(Identity, on_delete=models.CASCADE, null=True)

    def __str__(self) -> str:
        return self.reference
