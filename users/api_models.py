"""Keys that scripts carry instead of a password."""

from datetime import datetime
from typing import ClassVar, Self

from django.db import models
from django.utils import timezone

from epmm.fields import EncryptedField


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    def usable(self, now: datetime) -> Self:
        return self.filter(revoked_at=None, expires_at__gt=now)


class ApiToken(models.Model):
    """An administrator's key to the API.  It opens what its scopes name, as long as its owner may do that."""

    user = models.ForeignKey("users.User", on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    sha256 = models.BinaryField(max_length=32, unique=True)
    scopes = models.JSONField(default=list)  # keys of administrator roles
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=255)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.CharField(max_length=255, blank=True)
    last_used_at = models.DateTimeField(null=True)  # to the minute
    last_used_from = models.GenericIPAddressField(null=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["user", "-id"], name="api_token_of_user")]

    def __str__(self) -> str:
        return self.name

    def is_usable(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at


class IdempotentCall(models.Model):
    """What a call with a key has answered, for whoever sends it again.  Written in the transaction of its effect."""

    user = models.ForeignKey("users.User", on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request_sha256 = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    answer = EncryptedField()  # JSON; some answers are shown once
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["user", "key"], name="idempotent_call_once")]

    def __str__(self) -> str:
        return self.key
