from django.db import models

from devices.models.device import Device


class Duplicate(models.Model):
    """A record that stood beside a better one of the same device when the worker last compared them all."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="duplicate")

    def __str__(self) -> str:
        return f"beside {self.device_id}"
