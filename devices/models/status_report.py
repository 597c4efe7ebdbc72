from collections.abc import Collection
from typing import ClassVar, Final, Self

from django.db import models
from django.db.models import Exists, ExpressionWrapper, F, OuterRef, Q, Window
from django.db.models.expressions import Combinable
from django.db.models.functions import RowNumber
from django.utils import timezone

from devices.models.declaration import HELD_UP
from devices.models.enrollment import Channel

REPORTS_KEPT: Final = 5
MOST_UNREAD: Final = 50  # of one channel; what comes then is not kept, and the device comes again


class StatusReportQuerySet(models.QuerySet["StatusReport"]):
    def unread(self) -> Self:
        return self.filter(is_read=False)

    def forget_old(self, channels: Collection[int]) -> None:
        """All that were read but the newest ones of each; a device sends a full one every day."""
        newest_first = Window(RowNumber(), partition_by="channel", order_by=F("pk").desc())
        read = self.filter(channel__in=channels, is_read=True)
        self.filter(pk__in=read.annotate(place=newest_first).filter(place__gt=REPORTS_KEPT).values("pk")).delete()


class StatusReport(models.Model):
    """A declarative status report, as the device sent it.  Each that is unread is the worker's work."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="status_reports")
    body = models.BinaryField()
    received_at = models.DateTimeField(default=timezone.now)
    came_at = models.DateTimeField(null=True)  # when a gateway had it, which a network may have held up since
    # For whoever does not know this column: a release that read each report as it came.
    is_read = models.BooleanField(default=False, db_default=True)

    objects: ClassVar = StatusReportQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["id"], condition=Q(is_read=False), name="status_report_unread")]

    def __str__(self) -> str:
        return f"status report {self.pk}"


def is_overtaken() -> Combinable:
    """Of a report, for a statement about it.

    A release without an outbox has read a later one of its channel.  Or it is the copy of an earlier one that was on
    its way for long: its device repeated that elsewhere, was told 200, and has reported something else since.
    """
    others = StatusReport.objects.filter(channel=OuterRef("channel"))
    before = others.filter(pk__lt=OuterRef("pk"))
    came_before = before.filter(came_at__gt=OuterRef("came_at"), came_at__lte=OuterRef("came_at") + HELD_UP)
    is_copy = Exists(before.filter(body=OuterRef("body"))) & Exists(came_before)
    was_passed = Exists(others.filter(pk__gt=OuterRef("pk"), is_read=True))
    return ExpressionWrapper(was_passed | is_copy, models.BooleanField())
