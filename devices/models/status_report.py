from typing import ClassVar, Final

from django.db import models
from django.utils import timezone

from devices.models.enrollment import Channel

REPORTS_KEPT: Final = 5


class StatusReportManager(models.Manager["StatusReport"]):
    def keep(self, channel: Channel, body: bytes) -> None:
        """The newest ones of each channel; a device sends a full one every day."""
        self.create(channel=channel, body=body)
        newest = self.filter(channel=channel).order_by("-pk").values_list("pk", flat=True)[:REPORTS_KEPT]
        self.filter(channel=channel, pk__lt=min(newest)).delete()


class StatusReport(models.Model):
    """A declarative status report, as the device sent it."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="status_reports")
    body = models.BinaryField()
    received_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[StatusReportManager] = StatusReportManager()

    def __str__(self) -> str:
        return f"status report {self.pk}"
