"""Several records of one device: the one that is managed stays, else the youngest; Settings says what becomes of the
others, and whether by itself.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_noop

from devices.models import Device, Duplicate, Enrollment
from devices.services.retire import end_enrollment
from epmm import audit, options, schedules, settings_store
from epmm.indexed import IsSet
from epmm.models import ScheduledRun

KIND: Final = "devices.retire_duplicates"
REASON: Final = gettext_noop("another record of the same device")
WORKER: Final = "worker"
KEPT: Final = "kept_uuid"
KEYS: Final = ("serial_number", "udid", "enrollment_id")
LOOK: Final = "devices.find_duplicates"
AT_ONCE: Final = 500
STUCK_AFTER: Final = timedelta(hours=1)  # who is enrolling at this moment is no duplicate
_OVER: Final = (Device.Status.RETIRED, Device.Status.WIPED)
_UNDER_WAY: Final = (Device.Status.RETIRE_PENDING, Device.Status.WIPE_PENDING, Device.Status.LOST)


def candidates() -> QuerySet[Any]:
    """Records that stand beside a better one of the same device; compares all with all, which is for the worker."""
    rows = _dated(Device.objects.exclude(status__in=_OVER + _UNDER_WAY))
    fresh = Q(status__in=Device.PROVISIONAL, since__gt=timezone.now() - STUCK_AFTER)
    known_twice = [Q(**{f"{key}__in": _twice(key)}) for key in KEYS]
    several = rows.filter(known_twice[0] | known_twice[1] | known_twice[2])
    better: QuerySet[Any] = several.filter(_has_better()).exclude(fresh)
    return better


def found() -> QuerySet[Any]:
    """Those that the worker found when it last looked, without what is over by now."""
    known = Device.objects.filter(pk__in=Duplicate.objects.values("device"))
    return known.exclude(status__in=_OVER + _UNDER_WAY)


def look() -> None:
    """A periodic job: write down who they are."""
    began = timezone.now()
    keys, before = (set(rows.values_list("pk", flat=True)) for rows in (candidates(), Duplicate.objects.all()))
    for some in _chunks(before - keys):
        Duplicate.objects.filter(pk__in=some).delete()
    for some in _chunks(keys - before):
        with transaction.atomic():
            there = Device.objects.select_for_update().filter(pk__in=some).values_list("pk", flat=True)
            Duplicate.objects.bulk_create([Duplicate(device_id=key) for key in there], ignore_conflicts=True)
    ScheduledRun.objects.update_or_create(name=LOOK, defaults={"at": began})


def _chunks(keys: set[int]) -> Iterator[list[int]]:
    ordered = sorted(keys)
    return (ordered[start : start + AT_ONCE] for start in range(0, len(ordered), AT_ONCE))


def looked_at() -> datetime | None:
    return ScheduledRun.objects.filter(name=LOOK).values_list("at", flat=True).first()


def with_kept(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Each with the UUID of the record that stays."""
    best = _dated(Device.objects.exclude(status__in=_OVER)).exclude(pk=OuterRef("pk"))
    best = best.order_by("-mdm_managed", "-since", "-pk").values("uuid")
    by_key = (Subquery(best.filter(**{key: OuterRef(key)}).filter(IsSet(key))[:1]) for key in KEYS)
    told: QuerySet[Any] = rows.annotate(**{KEPT: Coalesce(*by_key)})
    return told


def _dated(rows: QuerySet[Device]) -> QuerySet[Any]:
    return rows.annotate(since=Coalesce("registered_at", "created_at"))


def _twice(key: str) -> QuerySet[Any, Any]:
    standing = Device.objects.exclude(status__in=_OVER).filter(IsSet(key)).order_by()
    several: QuerySet[Any, Any] = standing.values(key).annotate(number=Count("pk")).filter(number__gt=1).values(key)
    return several


def _has_better() -> Q:
    twins = _dated(Device.objects.exclude(status__in=_OVER)).exclude(pk=OuterRef("pk"))
    younger = Q(since__gt=OuterRef("since")) | Q(since=OuterRef("since"), pk__gt=OuterRef("pk"))
    managed_alike = Q(mdm_managed=OuterRef("mdm_managed"))
    better = twins.filter((managed_alike & younger) | Q(mdm_managed__gt=OuterRef("mdm_managed")))
    found = Q()
    for key in KEYS:
        found |= Q(Exists(better.filter(IsSet(key), **{key: OuterRef(key)})))
    return found


def to_tidy(among: QuerySet[Any] | None = None) -> QuerySet[Any]:
    """Those whose platform is to be tidied up, and that are not yet what they are to become.

    What a device still uses is not marked: it counts towards its user's limit, and goes when the user's role goes.
    """
    retired, marked = ([*_set_to(action)] for action in ("retire", "unknown"))
    in_use = Exists(Enrollment.objects.active().filter(device=OuterRef("pk")))
    unmarked = Q(platform__in=marked) & ~Q(status=Device.Status.UNKNOWN) & ~Q(in_use)
    among = candidates() if among is None else among
    return among.filter(Q(platform__in=retired) | unmarked)


def _set_to(action: str) -> Iterator[str]:
    return (platform for platform, setting in options.DUPLICATES.items() if settings_store.read(setting) == action)


def begin(*, actor: str) -> bool:
    """False while one is at it already."""
    return schedules.begin(KIND, actor=actor)


def begin_where_due() -> None:
    if schedules.is_due(KIND, settings_store.read(options.DUPLICATES_SCHEDULE)):
        begin(actor=WORKER)


def tidy_all() -> None:
    """One after the other, each looked at again; safe to run twice."""
    for key in list(to_tidy().order_by("pk").values_list("pk", flat=True)):
        _tidy(key)
    _end()


@transaction.atomic
def _tidy(key: int) -> None:
    run = schedules.running(KIND)
    device = Device.objects.select_for_update().filter(pk=key).first()
    kept = with_kept(to_tidy().filter(pk=key)).values_list(KEPT, flat=True).first()
    if run is None or device is None or kept is None:
        return
    is_retired = device.platform in _set_to("retire")
    if is_retired:
        _retire(device)
    else:
        _mark(device)
    details = {"because": REASON, "kept": str(kept)}
    action = "device.retired" if is_retired else "device.marked_unknown"
    audit.record(action, actor=run.actor, subject_type="device", subject=str(device.uuid), details=details)
    schedules.count(run, 1)


def _mark(device: Device) -> None:
    """Nothing else changes: it is taken up again when its device enrolls."""
    device.status = Device.Status.UNKNOWN
    device.save(update_fields=["status", "modified_at"])


def _retire(device: Device) -> None:
    now = timezone.now()
    for enrollment in device.enrollments.standing().select_related("device"):
        end_enrollment(enrollment, reason=REASON, now=now)
    device.refresh_from_db()
    if device.status != Device.Status.RETIRED:  # nothing had ever managed it
        device.status, device.mdm_managed = Device.Status.RETIRED, False
        device.retired_at, device.retired_reason = now, REASON
        device.save(update_fields=["status", "mdm_managed", "retired_at", "retired_reason", "modified_at"])


@transaction.atomic
def _end() -> None:
    run = schedules.running(KIND)
    if run is None:
        return
    tidied = schedules.end(run)
    if tidied or run.actor != WORKER:
        audit.record(
            KIND, actor=run.actor, subject_type="device", subject="duplicate devices", details={"tidied": tidied}
        )
