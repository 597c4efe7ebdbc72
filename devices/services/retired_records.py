"""Deleting the records of devices that left long ago; Settings says after how many days, and whether by itself."""

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from devices.models import Device, Enrollment
from epmm import audit, options, schedules, settings_store

KIND: Final = "devices.delete_retired"
AT_ONCE: Final = 200
GONE: Final = (Device.Status.RETIRED, Device.Status.WIPED)
WORKER: Final = "worker"


def due(days: int) -> QuerySet[Device]:
    """Their enrollments stay: by them a device that comes back late is told to leave."""
    before = timezone.now() - timedelta(days=days)
    managed = Exists(Enrollment.objects.standing().filter(device=OuterRef("pk")))
    return Device.objects.filter(~managed, status__in=GONE, retired_at__lt=before)


def begin(*, actor: str) -> bool:
    """False while one is at it already."""
    return schedules.begin(KIND, actor=actor, days=settings_store.read(options.RETIRED_DAYS))


def begin_where_due() -> None:
    if schedules.is_due(KIND, settings_store.read(options.RETIRED_SCHEDULE)):
        begin(actor=WORKER)


def delete_all(days: int) -> None:
    """In bites, each with its count; safe to run twice."""
    while _delete_some(days):
        pass


@transaction.atomic
def _delete_some(days: int) -> bool:
    run = schedules.running(KIND)
    if run is None:
        return False
    keys = list(due(days).order_by("pk").select_for_update().values_list("pk", flat=True)[:AT_ONCE])
    if keys:
        Device.objects.filter(pk__in=keys).delete()
        schedules.count(run, len(keys))
        return True
    deleted = schedules.end(run)
    if deleted or run.actor != WORKER:
        details = {"deleted": deleted, "days": days}
        audit.record(KIND, actor=run.actor, subject_type="device", subject="retired devices", details=details)
    return False
