from typing import ClassVar

from django.db import models
from django.db.models import Q

from devices.models.device import Device
from users.models import AttributeValue


class DeviceAttribute(AttributeValue):
    """What one device has of a custom attribute."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, db_index=False, related_name="custom_attributes")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["device", "attribute"], name="device_attribute_once")]
        indexes: ClassVar = [
            models.Index(fields=["attribute", "folded"], name="device_attribute_text"),
            models.Index(
                fields=["attribute", "number"], condition=Q(number__isnull=False), name="device_attribute_number"
            ),
            models.Index(fields=["attribute", "day"], condition=Q(day__isnull=False), name="device_attribute_day"),
        ]
