from datetime import UTC, datetime
from typing import ClassVar, Self

from django.db import models
from django.utils import timezone

from devices.models.device import Device
from epmm import masking
from epmm.fields import EncryptedField
from epmm.loaded import Loaded
from users.models import User


class EnrollmentQuerySet(models.QuerySet["Enrollment"]):
    def standing(self) -> Self:
        """Begun and not over."""
        return self.exclude(state=Enrollment.State.ENDED)

    def active(self) -> Self:
        return self.filter(state=Enrollment.State.ACTIVE)


class Enrollment(Loaded):
    """One enrollment of one device by one person, from the delivered profile to the check-out.

    A device that enrolls again gets a new row: secrets, commands and results never pass from one to the next.
    """

    class State(models.IntegerChoices):
        PENDING = 0  # profile delivered
        AUTHENTICATED = 1  # Authenticate accepted
        ACTIVE = 2  # first TokenUpdate of the device channel accepted
        ENDED = 3

    class Kind(models.TextChoices):
        ADDE = "adde"
        AAUE = "aaue"

    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="enrollments")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="enrollments")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    state = models.SmallIntegerField(choices=State.choices, default=State.PENDING)
    created_at = models.DateTimeField(default=timezone.now)
    authenticated_at = models.DateTimeField(null=True)
    # an active enrollment whose device has begun a new check-in, which its next TokenUpdate completes
    reauthenticated_at = models.DateTimeField(null=True)
    active_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    end_reason = models.CharField(max_length=64, blank=True)

    # What its profile said.  A renewed profile is built from these, never from the person's present record.
    managed_apple_account = models.CharField(max_length=320)
    topic = models.CharField(max_length=255)
    server_url = models.CharField(max_length=500)
    checkin_url = models.CharField(max_length=500)
    access_rights = models.PositiveIntegerField(null=True)
    profile_identifier = models.CharField(max_length=255)
    sign_message = models.BooleanField(default=True)

    udid = models.CharField(max_length=128, blank=True)
    enrollment_id = models.CharField(max_length=128, blank=True)
    device_key = models.CharField(max_length=128, blank=True)  # UDID, or EnrollmentID of a user enrollment
    family = models.CharField(max_length=16, blank=True)

    bearer_sha256 = models.BinaryField(max_length=32, null=True)
    # when the person is to sign in again, or the device renews its token; null: never
    bearer_lapses_at = models.DateTimeField(null=True)
    unlock_token = EncryptedField(null=True)
    bootstrap_token = EncryptedField(null=True)

    # when the worker last saw to it that the device is asked; for those that were here before, never
    inventory_asked_at = models.DateTimeField(default=timezone.now, db_default=datetime(1970, 1, 1, tzinfo=UTC))

    objects = EnrollmentQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["device_key"], name="enrollment_device_key"),
            models.Index(fields=["bearer_sha256"], name="enrollment_bearer"),
            # how many stand under each push topic, and who under another
            models.Index(fields=["topic", "state", "device"], name="enrollment_topic"),
            # where they call, which Settings says
            models.Index(fields=["state", "server_url"], name="enrollment_calls"),
            # how many have other rights than new profiles ask for
            models.Index(fields=["state", "kind", "access_rights"], name="enrollment_rights"),
            # whose inventory may be old
            models.Index(fields=["state", "inventory_asked_at", "id"], name="enrollment_inventory"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.device_key or self.pk}"


masking.personal(Enrollment, {"managed_apple_account": "email"})


class Identity(models.Model):
    """A certificate that we issued for one enrollment; its fingerprint is the credential of every request."""

    class State(models.IntegerChoices):
        ISSUED = 0  # never used
        PENDING = 1  # used in an Authenticate that its TokenUpdate has not completed
        CURRENT = 2
        REPLACED = 3
        REVOKED = 4

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="identities")
    sha256 = models.BinaryField(max_length=32, unique=True)
    serial_number = models.CharField(max_length=40, unique=True)
    der = models.BinaryField()
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    state = models.SmallIntegerField(choices=State.choices, default=State.ISSUED)
    issued_at = models.DateTimeField(default=timezone.now)
    warned_at = models.DateTimeField(null=True)  # when webhooks were told that it ends soon
    renewal_asked_at = models.DateTimeField(null=True)
    renewal_command_id = models.BigIntegerField(null=True)  # its key in the queue, while it is there

    class Meta:
        verbose_name_plural = "identities"
        indexes: ClassVar = [
            # whose device will be shut out next
            models.Index(fields=["not_after", "id"], condition=models.Q(state=2), name="identity_expires"),
        ]

    def __str__(self) -> str:
        return self.serial_number


class Channel(Loaded):
    """Where commands go: the device, or one user of a Mac (`user_key`).  Each has its own queue and push data."""

    enrollment = models.ForeignKey(Enrollment, on_delete=models.CASCADE, related_name="channels")
    user_key = models.CharField(max_length=128, blank=True)  # empty: the device channel
    user_short_name = models.CharField(max_length=255, blank=True)
    user_long_name = models.CharField(max_length=255, blank=True)
    push_token = models.BinaryField(null=True)
    push_magic = EncryptedField(null=True)
    token_updated_at = models.DateTimeField(null=True)
    pushed_at = models.DateTimeField(null=True)
    push_leased_until = models.DateTimeField(null=True)  # somebody is pushing to it, or Apple has no room for it
    push_failures = models.SmallIntegerField(default=0, db_default=0)  # in a row, of those that pass
    push_refused_at = models.DateTimeField(null=True)  # the push service said that it does not know the token
    awaiting_configuration = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    # Written by the door with each connect, so neither may ever be indexed (heap-only updates on PostgreSQL).
    last_seen_at = models.DateTimeField(null=True)
    idle_at = models.DateTimeField(null=True)  # begin of the present session: the last Idle

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["enrollment", "user_key"], name="channel_once")]
        indexes: ClassVar = [
            models.Index(
                fields=["push_refused_at"], name="channel_refused", condition=models.Q(push_refused_at__isnull=False)
            )
        ]

    def __str__(self) -> str:
        return f"{self.enrollment_id}/{self.user_key or 'device'}"
