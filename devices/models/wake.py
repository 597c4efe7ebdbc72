from django.db import models
from django.utils import timezone

from devices.models.enrollment import Channel


class Wake(models.Model):
    """A channel that is to be woken though no command waits for it; gone when that is done.

    No column of the channel, which the door writes with each connect: it would wait for whoever asks.
    """

    channel = models.OneToOneField(Channel, on_delete=models.CASCADE, primary_key=True, related_name="wake")
    at = models.DateTimeField(default=timezone.now, db_index=True)
    asked_at = models.DateTimeField(null=True)  # null from a release that did not know it

    def __str__(self) -> str:
        return f"wake {self.channel_id}"
