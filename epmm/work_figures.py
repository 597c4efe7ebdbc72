"""Figures of the worker's own tables."""

from collections.abc import Iterator

from django.db.models import Min, Q
from django.utils import timezone

from epmm import figures
from epmm.figures import Figure
from epmm.models import Heartbeat, Job


@figures.source()
def jobs() -> Iterator[Figure]:
    now = timezone.now()
    waiting = Job.objects.open().filter(Q(lease_until=None) | Q(lease_until__lte=now), run_at__lte=now)
    oldest = waiting.aggregate(at=Min("run_at"))["at"]
    yield Figure(
        name="epmm_jobs_open",
        help="Jobs that are not done, those put off included; up to 100,000.",
        value=figures.capped_count(Job.objects.open()),
    )
    yield Figure(
        name="epmm_jobs_overdue",
        help="Jobs that should have begun; up to 100,000.",
        value=figures.capped_count(waiting),
    )
    yield Figure(
        name="epmm_jobs_lag_seconds",
        help="How long the most overdue job has been waiting.",
        value=(now - oldest).total_seconds() if oldest else 0.0,
    )


@figures.source()
def heartbeat() -> Iterator[Figure]:
    """Absent until a worker has run once."""
    for row in Heartbeat.objects.filter(name="worker"):
        yield Figure(
            name="epmm_worker_heartbeat_age_seconds",
            help="How long ago a worker was last known to work.",
            value=max(0.0, (timezone.now() - row.at).total_seconds()),
        )
