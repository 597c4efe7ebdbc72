"""Who belongs to a label.

A manual label has rows.  A filter label is asked each time, so what people see is never old; where something is
assigned to it, there are rows as well, for delivery follows rows.  The worker brings them up to the devices that
changed, some seconds later, and each hour to all of them: criteria may speak of time, which changes no device.
"""

import logging
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from devices.models import Configuration, Device, Label, LabelMember
from devices.services import configuration_plan, search
from devices.services.search import Count, SearchRefused
from epmm.models import Job

logger = logging.getLogger(__name__)
CHUNK: Final = 1000
# Of what a transaction changed the others see nothing before its end.
OVERLAP: Final = timedelta(minutes=1)
SINGLE: Final = 50  # changes up to which devices are planned one by one


def members(label: Label) -> QuerySet[Device]:
    """In no order."""
    return Device.objects.filter(condition(label))


def condition(label: Label) -> Q:
    """True of the devices that belong to it.  Raises SearchRefused where its criteria are of an earlier release."""
    if label.is_filter:
        return search.condition(label.criteria)
    return Q(Exists(LabelMember.objects.filter(label=label, device=OuterRef("pk"))))


def count(label: Label, cap: int = search.CAP) -> Count:
    if label.is_filter:
        return search.count(label.criteria, exclude_retired=False, cap=cap)
    number = label.members.all()[: cap + 1].count()
    return Count(min(number, cap), is_capped=number > cap)


def evaluate_soon(label: Label) -> None:
    Job.enqueue("devices.evaluate_label", label=label.pk)


def evaluate(label_id: int) -> None:
    """All its rows anew; what is assigned to it follows, also when no row changed: it may be assigned since now."""
    label = Label.objects.filter(pk=label_id).first()
    if label is None:
        return
    if _is_followed(label):
        _bring_up(label, since=None)
    elif label.is_filter:
        _forget(label)
    _plan_configurations(label)


def follow_changes() -> None:
    """The devices that have changed, for the labels that matter."""
    for label in Label.objects.followed().filter(evaluated_at__isnull=False):
        since = label.evaluated_at and label.evaluated_at - OVERLAP
        _plan(label, _bring_up(label, since=since))


def follow_time() -> None:
    for label in Label.objects.filter(kind=Label.Kind.FILTER):
        if _is_followed(label):
            _plan(label, _bring_up(label, since=None))
        elif label.evaluated_at is not None:
            _forget(label)


def _is_followed(label: Label) -> bool:
    return Label.objects.followed().filter(pk=label.pk).exists()


def _bring_up(label: Label, *, since: datetime | None) -> set[int]:
    """The devices that came or went.

    Who dies before they are planned leaves that to the plan of everything, each hour.
    """
    began = timezone.now()
    try:
        meant = search.condition(label.criteria)
    except SearchRefused:  # a field of an earlier release
        logger.exception("the criteria of a label are not understood", extra={"label": label.pk})
        return set()
    changed = _add(label, meant, since) | _remove(label, meant, since)
    # not where the criteria have been changed meanwhile: their own evaluation is on its way
    Label.objects.filter(pk=label.pk, criteria=label.criteria).update(evaluated_at=began)
    return changed


def _add(label: Label, meant: Q, since: datetime | None) -> set[int]:
    there = LabelMember.objects.filter(label=label, device=OuterRef("pk"))
    devices = Device.objects.filter(meant).exclude(Exists(there))
    if since is not None:
        devices = devices.filter(modified_at__gte=since)
    added: set[int] = set()
    while ids := list(devices.order_by("pk").values_list("pk", flat=True)[:CHUNK]):
        rows = [LabelMember(label=label, device_id=pk) for pk in ids]
        LabelMember.objects.bulk_create(rows, ignore_conflicts=True)
        added.update(ids)
    return added


def _remove(label: Label, meant: Q, since: datetime | None) -> set[int]:
    rows = label.members.exclude(device__in=Device.objects.filter(meant))
    if since is not None:
        rows = rows.filter(device__modified_at__gte=since)
    removed: set[int] = set()
    while found := dict(rows.order_by("pk").values_list("pk", "device")[:CHUNK]):
        LabelMember.objects.filter(pk__in=found).delete()
        removed.update(found.values())
    return removed


def _forget(label: Label) -> None:
    """Nothing follows it any more."""
    while ids := list(label.members.values_list("pk", flat=True)[:CHUNK]):
        LabelMember.objects.filter(pk__in=ids).delete()
    Label.objects.filter(pk=label.pk).update(evaluated_at=None)


def _plan(label: Label, devices: set[int]) -> None:
    if len(devices) > SINGLE:
        _plan_configurations(label)
        return
    for pk in sorted(devices):
        configuration_plan.plan_device_soon(pk)


def _plan_configurations(label: Label) -> None:
    for configuration in Configuration.objects.filter(assignments__label=label):
        configuration_plan.plan_soon(configuration)
