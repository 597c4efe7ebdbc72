import uuid

from django.db import models
from django.utils import timezone

from devices.models.declaration import Declaration


class DeclarationRun(models.Model):
    """A declaration given to many devices, or taken from them: whom it was meant for, and how far it has come."""

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    declaration = models.ForeignKey(Declaration, on_delete=models.CASCADE, related_name="runs")
    takes = models.BooleanField(default=False)  # away from them, instead of giving it
    for_users = models.BooleanField(default=False)
    actor = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)

    # how the devices are chosen, and how far the choosing has come
    selection = models.JSONField(default=dict)
    next_device = models.BigIntegerField(default=0)

    changed = models.PositiveIntegerField(default=0)  # devices
    unchanged = models.PositiveIntegerField(default=0)  # they had it, or had it not
    refused = models.PositiveIntegerField(default=0)
    refusals = models.JSONField(default=dict)  # sentence: how many devices

    def __str__(self) -> str:
        return f"{self.declaration_id} for many {self.uuid}"
