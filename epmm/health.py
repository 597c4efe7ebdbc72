"""What monitoring asks: alive, and able to work."""

from datetime import timedelta
from typing import Final

from django.db import Error as DatabaseFailure
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

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
