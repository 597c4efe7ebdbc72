import uuid
from typing import Self

from django.db import models
from django.utils import timezone

from epmm.fields import EncryptedField
from epmm.spaces import InSpace


class BroadcastQuerySet(models.QuerySet["Broadcast"]):
    def watched(self) -> Self:
        """For whoever looks how far they have come: without what they say, and whom they name."""
        return self.defer("request", "selection")


class Broadcast(InSpace):
    """One command to many devices: whom it was meant for, and how far it has come.

    Each device gets a `Command` of its own, which names the broadcast.
    """

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    request_type = models.CharField(max_length=64)
    request = EncryptedField(null=True)  # its payload as a property list; none: what EPMM itself would ask
    actor = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now)
    queued_at = models.DateTimeField(null=True)  # for everyone
    cancelled_at = models.DateTimeField(null=True)

    # how the devices are chosen, and how far the choosing has come
    selection = models.JSONField(default=dict)
    next_device = models.BigIntegerField(default=0)

    queued = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    refusals = models.JSONField(default=dict)  # sentence: how many devices
    # how many commands ended in each state; unset while one may still change it
    outcome = models.JSONField(null=True, default=None)
    # the same of a large one that is under way, as the worker counted it last
    tally = models.JSONField(null=True, default=None)

    objects = BroadcastQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.request_type} to many {self.uuid}"
