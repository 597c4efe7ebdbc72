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

    objects = AccessTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return f"token of {self.user_id}"
