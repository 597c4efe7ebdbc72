"""Declarative management: what devices are to hold, what each channel was told, and what it says of itself."""

from datetime import datetime, timedelta
from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.utils import timezone

from devices.models.device import Device
from devices.models.enrollment import Channel
from epmm.fields import EncryptedField
from epmm.spaces import InSpace

ASK_AGAIN: Final = timedelta(minutes=10)
LONGEST_WAIT: Final = timedelta(days=7)
HELD_UP: Final = timedelta(minutes=1)  # a request, at most; what looks like more is another clock
OFFER_STANDS: Final = timedelta(minutes=2)  # from tokens to the manifest that they named
TOKEN: Final = 64  # octets that Apple allows for a server token; the hash in hexadecimal has as many


class Declaration(InSpace):
    """What an administrator declares, for whichever devices it is assigned to."""

    class Kind(models.TextChoices):
        ACTIVATION = "activation"
        ASSET = "asset"
        CONFIGURATION = "configuration"
        MANAGEMENT = "management"

    identifier = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    type = models.CharField(max_length=128)
    payload = models.JSONField(default=dict)
    predicate = models.TextField(blank=True)  # of the activation that a configuration gets
    version = models.CharField(max_length=TOKEN)  # hash of all that devices get of it
    # A profile to be downloaded.  It may hold passwords and keys.
    profile = EncryptedField(null=True)
    profile_sha256 = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    removed_at = models.DateTimeField(null=True)  # the row goes when no device holds it any more

    def __str__(self) -> str:
        return self.identifier


class DeclarationAssignment(models.Model):
    """Who gets a declaration.  A row without a device has another target, for which there are no columns yet."""

    declaration = models.ForeignKey(Declaration, on_delete=models.CASCADE, related_name="assignments")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, null=True, related_name="declaration_assignments")
    for_users = models.BooleanField(default=False)  # of a Mac, instead of the Mac itself
    assigned_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["declaration", "device", "for_users"], name="declaration_assigned_once"),
        ]

    def __str__(self) -> str:
        return f"{self.declaration_id} for {self.device_id}"


class DeclarationContent(models.Model):
    """A declaration as devices get it, by the hash that is its token: one row, however many hold it."""

    server_token = models.CharField(max_length=TOKEN, primary_key=True)
    body = models.BinaryField()
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.server_token


class Manifest(models.Model):
    """A set of declarations, by the hash that is its token.  `items`: kind, identifier, server token."""

    token = models.CharField(max_length=TOKEN, primary_key=True)
    items = models.JSONField(default=list)
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.token


class DeclarationSetQuerySet(models.QuerySet["DeclarationSet"]):
    def behind(self) -> Self:
        """What the device was told last is not what it should hold."""
        return self.exclude(token=F("served_token"))

    def to_tell(self, now: datetime) -> Self:
        """Of those, who was not told of this set yet.  And who was told before and fetched nothing, each time after
        twice as long: a device that holds the set already stops at its token, and nothing is heard of that.
        """
        twice_as_long = ExpressionWrapper(F("asked_at") + (F("asked_at") - F("changed_at")), DateTimeField())
        behind = self.behind().annotate(patient_until=twice_as_long)
        again = Q(asked_at__lt=now - ASK_AGAIN, patient_until__lt=now) | Q(asked_at__lt=now - LONGEST_WAIT)
        clock_was_ahead = Q(asked_at__gt=now)  # and nobody can say whether it was this set that it was told of
        return behind.filter(Q(asked_at=None) | Q(asked_at__lt=F("changed_at")) | clock_was_ahead | again)


class DeclarationSet(models.Model):
    """Which manifest a channel is to have, and which one it was given last."""

    channel = models.OneToOneField(Channel, on_delete=models.CASCADE, primary_key=True, related_name="declaration_set")
    token = models.CharField(max_length=TOKEN, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)
    # Tokens that made the device ask on: the manifest that follows is the one they named.
    offered_token = models.CharField(max_length=TOKEN, blank=True)
    offered_at = models.DateTimeField(null=True)
    served_token = models.CharField(max_length=TOKEN, blank=True)
    # Who asked for the manifest before that had not seen it, and gets the same: a copy, or one that was held up.
    items_served_at = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)  # the last command that said: synchronize
    heard_at = models.DateTimeField(null=True)
    capabilities = models.JSONField(default=dict)  # what the device said that it can
    unsupported = models.JSONField(default=dict)  # identifier: why it is left out

    objects = DeclarationSetQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["asked_at"], condition=~Q(token=F("served_token")), name="declaration_set_behind"),
        ]

    def __str__(self) -> str:
        return f"declarations of {self.channel_id}"


class DeclarationState(models.Model):
    """What a device says about one version of one declaration."""

    class Valid(models.TextChoices):
        VALID = "valid"
        INVALID = "invalid"
        UNKNOWN = "unknown"

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="declaration_states", db_index=False)
    kind = models.CharField(max_length=16, choices=Declaration.Kind.choices)
    identifier = models.CharField(max_length=64)
    server_token = models.CharField(max_length=TOKEN, blank=True)
    active = models.BooleanField(default=False)
    valid = models.CharField(max_length=8, choices=Valid.choices)
    reasons = models.JSONField(default=list)
    reported_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["identifier", "valid"], name="declaration_state_of")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["channel", "kind", "identifier", "server_token"], name="declaration_state_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.identifier}: {self.meaning}"

    @property
    def meaning(self) -> str:
        """In one word; a management declaration is never active."""
        if self.valid == self.Valid.INVALID:
            return "failed"
        if self.valid == self.Valid.UNKNOWN:
            return "pending"
        return "applied" if self.active or self.kind == Declaration.Kind.MANAGEMENT else "not activated"


class ChannelStatus(models.Model):
    """What a channel reports, put together from its reports: values by path, and what could not be told."""

    channel = models.OneToOneField(Channel, on_delete=models.CASCADE, primary_key=True, related_name="status")
    items = models.JSONField(default=dict)
    errors = models.JSONField(default=dict)
    reported_at = models.DateTimeField(default=timezone.now)
    full_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "channel statuses"

    def __str__(self) -> str:
        return f"status of {self.channel_id}"
