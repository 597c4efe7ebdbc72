from typing import Self

from django.db import models
from django.utils import timezone

from devices.models import Device, Enrollment
from enrollment.models.attempt import Attempt
from users.models import User


class AccessTokenQuerySet(models.QuerySet["AccessToken"]):
    def live(self) -> Self:
        return self.filter(revoked_at=None)


class AccessToken(models.Model):
    """What a person's sign-in gave the device.  Only its hash is kept.

    Not single-use: the second POST, Authenticate, TokenUpdate and all later requests carry it.  Until it has fetched
    a profile it expires; from then on it lives as long as its enrollment.
    """

    sha256 = models.BinaryField(max_length=32, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="access_tokens")
    attempt = models.ForeignKey(Attempt, on_delete=models.SET_NULL, null=True, related_name="access_tokens")
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="access_tokens")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, null=True, related_name="access_tokens")
    kind = models.CharField(max_length=8, choices=Enrollment.Kind.choices)
    reference = models.CharField(max_length=32, blank=True)  # of the BaseURL it may fetch the profile from
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    lapses_at = models.DateTimeField(null=True)  # as the bearer of an enrolled device; null: with its enrollment

    objects = AccessTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return f"token of {self.user_id}"


class AuthorizationCode(models.Model):
    """What `apple-oauth2` takes the device to its tokens with, once; only its hash is kept."""

    sha256 = models.BinaryField(max_length=32, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    attempt = models.ForeignKey(Attempt, on_delete=models.SET_NULL, null=True, related_name="+")
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="+")
    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, null=True, related_name="+")  # that goes on
    kind = models.CharField(max_length=8, choices=Enrollment.Kind.choices)
    reference = models.CharField(max_length=32, blank=True)
    code_challenge = models.CharField(max_length=128, blank=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    family = models.ForeignKey("TokenFamily", on_delete=models.CASCADE, null=True, related_name="+")

    def __str__(self) -> str:
        return f"code of {self.user_id}"


class TokenFamily(models.Model):
    """What one sign-in by `apple-oauth2` led to: its access token now, and the refresh tokens that followed another."""

    token = models.OneToOneField(AccessToken, on_delete=models.CASCADE, related_name="family")
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "token families"

    def __str__(self) -> str:
        return f"family {self.pk}"


class RefreshToken(models.Model):
    """Good for one renewal; only its hash is kept.  One that comes twice was stolen, and ends its family."""

    sha256 = models.BinaryField(max_length=32, unique=True)
    family = models.ForeignKey(TokenFamily, on_delete=models.CASCADE, related_name="refresh_tokens")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"refresh token of family {self.family_id}"
