"""What monitoring asks of the devices' tables."""

from collections.abc import Iterator
from datetime import datetime
from typing import TypeVar

from django.db.models import Count, Min, Model, QuerySet
from django.utils import timezone

from devices.models import Command, Device, Result, StatusReport, Wake
from epmm import figures
from epmm.figures import Figure

Row = TypeVar("Row", bound=Model)


@figures.source()
def queue() -> Iterator[Figure]:
    yield Figure(
        name="epmm_commands_open",
        help="Commands that a device has not answered; up to 100,000.",
        value=figures.capped_count(Command.objects.open().filter(is_routine=False)),
    )
    yield Figure(
        name="epmm_commands_oldest_seconds",
        help="Age of the oldest open command.",
        value=_age(Command.objects.open().order_by("pk").values_list("created_at", flat=True).first()),
    )


@figures.source()
def results() -> Iterator[Figure]:
    number, oldest = _waiting(Result.objects.all())
    yield Figure(
        name="epmm_results_undigested",
        help="Results that the worker has not read; up to 100,000.",
        value=number,
    )
    yield Figure(
        name="epmm_results_oldest_seconds",
        help="How long a result has been waiting for the worker.",
        value=_age(oldest),
    )


@figures.source()
def reports() -> Iterator[Figure]:
    number, oldest = _waiting(StatusReport.objects.unread())
    yield Figure(
        name="epmm_reports_unread",
        help="Status reports that the worker has not read; up to 100,000.",
        value=number,
    )
    yield Figure(
        name="epmm_reports_oldest_seconds",
        help="How long a status report has been waiting for the worker.",
        value=_age(oldest),
    )


@figures.source()
def pushes() -> Iterator[Figure]:
    now = timezone.now()
    commands, wakes = Command.objects.filter(push_at__lte=now), Wake.objects.filter(at__lte=now)
    first = (
        commands.order_by("push_at").values_list("push_at", flat=True).first(),
        wakes.order_by("at").values_list("at", flat=True).first(),
    )
    yield Figure(
        name="epmm_pushes_due",
        help="Commands for which a device is to be woken now, and devices to be woken without one; up to 100,000.",
        value=min(figures.capped_count(commands) + figures.capped_count(wakes), figures.MOST),
    )
    yield Figure(
        name="epmm_pushes_oldest_seconds",
        help="How long a device has been waiting to be woken.",
        value=_age(min((moment for moment in first if moment), default=None)),
    )


@figures.source(seconds=300)  # counts every device
def devices() -> Iterator[Figure]:
    for status, count in Device.objects.order_by().values_list("status").annotate(Count("pk")):
        yield Figure(
            name="epmm_devices", help="Devices by status.", value=count, labels={"status": str(status).lower()}
        )


def _waiting(rows: QuerySet[Row]) -> tuple[int, datetime | None]:
    """How many of what devices said are unread, and when the oldest came."""
    found = rows.values("received_at")[: figures.MOST].aggregate(number=Count("*"), oldest=Min("received_at"))
    return found["number"], found["oldest"]


def _age(since: datetime | None) -> float:
    return (timezone.now() - since).total_seconds() if since else 0.0
