"""Who belongs to a label.

A manual label has rows.  A filter label is asked each time, so what people see is never old; where something is
assigned to it, there are rows as well, for delivery follows rows.  The worker brings them up to the devices that
changed, some seconds later, and each hour to all of them: criteria may speak of time, which changes no device.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from time import monotonic
from typing import Any, Final

from django.db import connection
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from devices.models import Configuration, Device, Label, LabelMember
from devices.search import patience
from devices.search.fields import Registry
from devices.services import configuration_plan, search
from devices.services.search import Count, SearchRefused
from epmm import masking
from epmm.models import Job

logger = logging.getLogger(__name__)
CHUNK: Final = 1000
ASKED: Final = 200  # labels, for one device
FEW: Final = 2000
WALKED: Final = 5000  # members by one statement
# Of what a transaction changed the others see nothing before its end.
OVERLAP: Final = timedelta(minutes=1)
SHORTEST: Final = 0.01  # seconds: none at all would be without a limit
COUNTED: Final = 200  # labels, by one statement
ALONE: Final = 1.0  # seconds for one label where all together took too long
SINGLE: Final = 50  # changes up to which devices are planned one by one


def members(label: Label) -> QuerySet[Device]:
    """In no order."""
    return Device.objects.filter(condition(label))


def condition(label: Label) -> Q:
    """True of the devices that belong to it.  Raises SearchRefused where its criteria are of an earlier release."""
    if label.is_filter:
        with masking.hiding(()):  # whoever wrote them might
            return search.condition(label.criteria)
    return _is_member(label)


def _is_member(label: Label) -> Q:
    """Few members lead to their devices; of many a list is full sooner by asking of each device in its order.

    PostgreSQL would know by itself.
    """
    rows = LabelMember.objects.filter(label=label)
    if rows[: FEW + 1].count() <= FEW:
        return Q(pk__in=rows.values("device"))
    return Q(Exists(rows.filter(device=OuterRef("pk"))))


def of_manual(labels: Iterable[Label]) -> dict[int, dict[str, int]]:
    """The devices of each, by their UUIDs; by one statement."""
    found: dict[int, dict[str, int]] = {label.pk: {} for label in labels if not label.is_filter}
    rows = LabelMember.objects.filter(label__in=found).order_by("device__uuid")
    for label, uuid, device in rows.values_list("label", "device__uuid", "device"):
        found[label][str(uuid)] = device
    return found


def walk(labels: Collection[int]) -> Iterator[tuple[int, list[str]]]:
    """The devices of manual labels by their UUIDs, however many: some of one label after the other, in the order of
    their keys."""
    rows = LabelMember.objects.filter(label__in=labels).order_by("label", "device")
    found, at = rows.values_list("label", "device", "device__uuid"), Q()
    while some := list(found.filter(at)[:WALKED]):
        for label, each in groupby(some, itemgetter(0)):
            yield label, [str(uuid) for _label, _device, uuid in each]
        label, device, _uuid = some[-1]
        at = Q(label__gte=label) & (Q(label__gt=label) | Q(device__gt=device))


def count(label: Label, cap: int = search.CAP, seconds: float = patience.SECONDS) -> Count:
    if label.is_filter:
        with masking.hiding(()):
            return search.count(label.criteria, exclude_retired=False, cap=cap, seconds=seconds)
    number = label.members.all()[: cap + 1].count()
    return Count(min(number, cap), is_capped=number > cap)


def counts(labels: Sequence[Label], *, seconds: float, cap: int = search.CAP) -> dict[int, Count | None]:
    """Of a page by one statement; None where it cannot be said.

    When that takes too long, each is asked by itself, for as long as there is time.
    """
    until = monotonic() + seconds
    found: dict[int, Count | None] = {}
    for number in range(0, len(labels), COUNTED):
        some = labels[number : number + COUNTED]
        try:
            found |= _counted(some, cap, max(until - monotonic(), SHORTEST) / 2)
        except SearchRefused:
            found |= {label.pk: _counted_alone(label, cap, until - monotonic()) for label in some}
    return found


def _counted(labels: Sequence[Label], cap: int, seconds: float) -> dict[int, Count | None]:
    asked = {label.pk: rows for label, rows in _rows(labels) if rows is not None}
    parts: list[str] = []
    parameters: list[Any] = []
    for rows in asked.values():
        sql, given = rows.order_by()[: cap + 1].values("pk").query.sql_with_params()
        parts.append(f"(SELECT count(*) FROM ({sql}) AS found)")  # noqa: S608 - Django's
        parameters += given
    numbers: Sequence[int] = ()
    if parts:
        with search.patiently(seconds), connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(parts)}", parameters)
            numbers = cursor.fetchone()
    found = {pk: Count(min(number, cap), number > cap) for pk, number in zip(asked, numbers, strict=True)}
    return {label.pk: found.get(label.pk) for label in labels}


def _rows(labels: Sequence[Label]) -> Iterator[tuple[Label, QuerySet[Any] | None]]:
    """One for each that belongs to it."""
    known = search.registry()
    with masking.hiding(()):
        for label in labels:
            try:
                yield label, _rows_of(label, known)
            except SearchRefused:  # a field of an earlier release
                yield label, None


def _rows_of(label: Label, known: Registry) -> QuerySet[Any]:
    if label.is_filter:
        return Device.objects.filter(search.condition(label.criteria, known))
    return LabelMember.objects.filter(label=label)


def _counted_alone(label: Label, cap: int, seconds: float) -> Count | None:
    try:
        return count(label, cap, min(seconds, ALONE)) if seconds > 0 else None
    except SearchRefused:
        return None


def of_device(device: Device) -> list[tuple[Label, datetime | None]]:
    """All that it belongs to by name, manual ones with their beginning.  One statement asks all the filter labels."""
    since = dict(device.label_members.filter(label__kind=Label.Kind.MANUAL).values_list("label", "added_at"))
    labels = list(Label.objects.filter(Q(pk__in=since) | Q(kind=Label.Kind.FILTER)).order_by("name", "pk")[:ASKED])
    asked = {f"is_in_{label.pk}": meant for label in labels if label.is_filter and (meant := _meant(label)) is not None}
    answers = Device.objects.filter(pk=device.pk).values(**asked) if asked else []
    held = {name for answer in answers for name, is_in in answer.items() if is_in}
    return [(label, since.get(label.pk)) for label in labels if label.pk in since or f"is_in_{label.pk}" in held]


def _meant(label: Label) -> Case | None:
    try:
        condition = search.condition(label.criteria)
    except SearchRefused:  # a field of an earlier release
        return None
    return Case(When(condition, then=Value(True)), default=Value(False))


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
        plan(label, _bring_up(label, since=since))


def follow_time() -> None:
    for label in Label.objects.filter(kind=Label.Kind.FILTER):
        if _is_followed(label):
            plan(label, _bring_up(label, since=None))
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


def plan(label: Label, devices: Collection[int]) -> None:
    if len(devices) > SINGLE:
        _plan_configurations(label)
        return
    for pk in sorted(devices):
        configuration_plan.plan_device_soon(pk)


def _plan_configurations(label: Label) -> None:
    for configuration in Configuration.objects.filter(assignments__label=label):
        configuration_plan.plan_soon(configuration)
