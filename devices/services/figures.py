"""What monitoring asks of the devices' tables."""

from collections.abc import Iterator

from django.db.models import Count, Min
from django.utils import timezone

from devices.models import Command, Device, Result
from epmm import figures
from epmm.figures import Figure


@figures.source()
def queue() -> Iterator[Figure]:
    """By the index of the open commands alone, whose condition is `state__lt`; past the cap, the age is a least one."""
    waiting = Command.objects.filter(state__lt=Command.State.ACKNOWLEDGED).values("pk")[: figures.MOST]
    count, oldest = waiting.aggregate(count=Count("pk"), oldest=Min("pk")).values()
    yield Figure(
        name="epmm_commands_open",
        help="Commands that a device has not answered; up to 100,000.",
        value=count,
    )
    created = Command.objects.filter(pk=oldest).values_list("created_at", flat=True).first()
    yield Figure(
        name="epmm_commands_oldest_seconds",
        help="Age of the oldest open command.",
        value=(timezone.now() - created).total_seconds() if created else 0.0,
    )


@figures.source()
def results() -> Iterator[Figure]:
    undigested = Result.objects.undigested()
    oldest = undigested.order_by("pk").values_list("received_at", flat=True).first()
    yield Figure(
        name="epmm_results_undigested",
        help="Results that the worker has not read; up to 100,000.",
        value=figures.capped_count(undigested),
    )
    yield Figure(
        name="epmm_results_oldest_seconds",
        help="Age of the result that has waited for the worker for the longest time, by its command.",
        value=(timezone.now() - oldest).total_seconds() if oldest else 0.0,
    )


@figures.source(seconds=300)  # counts every device
def devices() -> Iterator[Figure]:
    for status, count in Device.objects.order_by().values_list("status").annotate(Count("pk")):
        yield Figure(
            name="epmm_devices", help="Devices by status.", value=count, labels={"status": str(status).lower()}
        )
