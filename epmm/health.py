"""What monitoring asks: alive, and able to work."""

from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Final

from django.conf import settings
from django.db import Error as DatabaseFailure
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from epmm import figures, metrics
from epmm.client_address import client_address
from epmm.models import Heartbeat

WORKER_SILENT_FOR: Final = timedelta(seconds=60)
CLOCK_APART: Final = timedelta(seconds=30)


@never_cache
@require_safe
def healthz(_: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(_: HttpRequest) -> HttpResponse:
    """200 when database, worker and clock are in order, else 503; names what is not."""
    try:
        checks = {"database": True, "worker": worker_beats(), "clock": clock_agrees()}
    except DatabaseFailure:
        checks = {"database": False}
    return JsonResponse(checks, status=200 if all(checks.values()) else 503)


@never_cache
@require_safe
def status_page(_: HttpRequest) -> HttpResponse:
    """What monitoring of EPMM reads: the status on the first line, a message on the third, and nothing else."""
    try:
        is_well = worker_beats()
    except DatabaseFailure:
        is_well = False
    word, message = ("OK", "The server is running.") if is_well else ("ERROR", "The server cannot work just now.")
    page = f"MOBILEIRON-STATUS: {word}\n\n{message}\n"
    return HttpResponse(page, status=200 if is_well else 503, content_type="text/plain; charset=utf-8")


def worker_beats() -> bool:
    return Heartbeat.objects.filter(name="worker", at__gt=timezone.now() - WORKER_SILENT_FOR).exists()


def clock_agrees() -> bool:
    """With the database's clock, where that is another machine's."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        apart: timedelta = abs(cursor.fetchone()[0] - timezone.now())
        return apart < CLOCK_APART


@never_cache
def metrics_page(request: HttpRequest) -> HttpResponse:
    """For the addresses in EPMM_METRICS_ALLOW; to anyone else there is no such page, whatever the method."""
    if not _may_read_metrics(client_address(request)) or request.method not in ("GET", "HEAD"):
        raise Http404
    database = CollectorRegistry()
    database.register(figures.Collector())
    page = generate_latest(metrics.collected()) + generate_latest(database)
    return HttpResponse(page, content_type=CONTENT_TYPE_PLAIN_0_0_4)


def _may_read_metrics(address: str | None) -> bool:
    allowed = [ip_network(item, strict=False) for item in settings.METRICS_ALLOW]
    return address is not None and any(ip_address(address) in network for network in allowed)
