from typing import ClassVar

from django.db import models
from django.utils import timezone

from devices.models.device import Device


class Label(models.Model):
    """A named set of devices, to which things are assigned.  Whoever keeps its members, they are rows."""

    name = models.CharField(max_length=255, unique=True)
    description = models.CharField(max_length=1000, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    devices: "models.ManyToManyField[Device, LabelMember]" = models.ManyToManyField(
        Device, through="LabelMember", related_name="labels"
    )

    def __str__(self) -> str:
        return self.name


class LabelMember(models.Model):
    label = models.ForeignKey(Label, on_delete=models.CASCADE, related_name="members")
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="label_members")
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["label", "device"], name="label_member_once")]

    def __str__(self) -> str:
        return f"{self.label_id}: {self.device_id}"
