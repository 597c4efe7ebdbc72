"""Webhooks: who wants to hear of what, what has happened, and what came of telling them."""

import uuid
from datetime import datetime
from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from epmm.fields import EncryptedField
from epmm.spaces import GLOBAL_SPACE

LONGEST_SUBJECT: Final = 96
LONGEST_EXCERPT: Final = 500


class Event(models.Model):
    """Something that happened, written in the transaction in which it did, and only where a webhook wants it."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)
    # what it is about, mostly the UUID of a device: events of one subject are told in their order
    subject = models.CharField(max_length=LONGEST_SUBJECT)
    space_id = models.PositiveIntegerField(default=GLOBAL_SPACE)
    data = models.JSONField(default=dict)
    is_spread = models.BooleanField(default=False)  # each webhook that wants it has its delivery

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["id"], condition=Q(is_spread=False), name="event_new"),
            models.Index(fields=["at"], name="event_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.uuid}"


class Webhook(models.Model):
    """A receiver: an address that gets the events it asked for, signed with a secret that it knows."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    url = models.CharField(max_length=500)
    is_enabled = models.BooleanField(default=True)
    kinds = models.JSONField(default=list)
    hidden_fields = models.JSONField(default=list)  # keys of masking.FIELDS that it is not told
    secret = EncryptedField()
    former_secret = EncryptedField(null=True)  # signs as well, until the receiver knows the new one
    former_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    failures = models.PositiveIntegerField(default=0)  # since something was last taken
    failing_since = models.DateTimeField(null=True)
    rests_until = models.DateTimeField(null=True)  # it does not answer: nothing is tried before
    given_up_at = models.DateTimeField(null=True)  # switched off by the worker, after days of failure

    def __str__(self) -> str:
        return self.name


class WebhookDeliveryQuerySet(models.QuerySet["WebhookDelivery"]):
    def queued(self) -> Self:
        return self.filter(state=WebhookDelivery.State.QUEUED)

    def dead(self) -> Self:
        return self.filter(state=WebhookDelivery.State.DEAD)

    def in_the_air(self, now: datetime) -> Self:
        return self.queued().filter(taken_until__gt=now)

    def due(self, now: datetime) -> Self:
        """Neither put off nor in the hands of a worker."""
        return self.queued().filter(Q(taken_until=None) | Q(taken_until__lte=now), next_at__lte=now)

    def in_turn(self) -> Self:
        """Those with no earlier event of the same subject before them.

        The first of each is looked up in its index: a join over subjects would compare all of one with all of it.
        """
        same = {"webhook": OuterRef("webhook"), "subject": OuterRef("subject")}
        first = WebhookDelivery.objects.queued().filter(**same).order_by("event_id").values("event_id")
        return self.filter(event_id=Subquery(first[:1]))


class WebhookDelivery(models.Model):
    """One event on its way to one receiver, and what came of it last."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        DELIVERED = "delivered", _("Delivered")
        DEAD = "dead", _("Given up")

    # the indexes below begin with them
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    subject = models.CharField(max_length=LONGEST_SUBJECT)
    state = models.CharField(max_length=9, choices=State.choices, default=State.QUEUED)
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    next_at = models.DateTimeField(default=timezone.now)
    taken_until = models.DateTimeField(null=True)  # a worker that was killed meanwhile gives it back then
    tried_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)  # what the receiver answered, if it did
    milliseconds = models.PositiveIntegerField(null=True)
    excerpt = models.CharField(max_length=LONGEST_EXCERPT, blank=True)  # of the answer; or why there was none

    objects = WebhookDeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "webhook deliveries"
        indexes: ClassVar = [
            models.Index(fields=["webhook", "next_at", "id"], condition=Q(state="queued"), name="webhook_due"),
            models.Index(fields=["webhook", "subject", "event"], condition=Q(state="queued"), name="webhook_turn"),
            models.Index(fields=["webhook"], condition=Q(taken_until__isnull=False), name="webhook_taken"),
            models.Index(fields=["webhook", "state", "-id"], name="webhook_state"),
            models.Index(fields=["webhook", "-id"], name="webhook_newest"),
            models.Index(fields=["state", "-id"], name="webhook_any_state"),
            models.Index(fields=["done_at"], condition=Q(done_at__isnull=False), name="webhook_done"),
        ]
        constraints: ClassVar = [models.UniqueConstraint(fields=["event", "webhook"], name="webhook_once")]

    def __str__(self) -> str:
        return f"{self.pk} {self.state}"


class ExpiryNotice(models.Model):
    """The end of a certificate that was spoken of: by its name, how near it was then."""

    name = models.CharField(max_length=64, primary_key=True)
    not_after = models.DateTimeField()
    days = models.SmallIntegerField()

    def __str__(self) -> str:
        return f"{self.name} {self.not_after:%Y-%m-%d} {self.days}"
