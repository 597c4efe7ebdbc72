"""Finds what is due and rings for it.  Any number may run; rows are taken with a lock that others skip."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import Max, Q
from django.utils import timezone

from epmm import jobs
from epmm.models import AHEAD, RING_AGAIN, Job, retry_after

logger = logging.getLogger(__name__)
BATCH: Final = 200
PAUSE_SECONDS: Final = 0.2
PAUSE_AFTER_FAILURE_SECONDS: Final = 2.0
PERIODIC_LOOK_SECONDS: Final = 10.0


def take_over() -> None:
    """Free what a killed worker held.  Embedded only, where no other worker can be at it."""
    if settings.BROKER_URL.startswith("memory:") and connection.vendor == "sqlite":
        Job.objects.open().update(lease_until=None, rung_until=None)


def dispatch_due(send: Callable[[int], object], has_room: Callable[[], bool] = lambda: True) -> int:
    """Ring for the jobs that are due, the oldest first, while the broker has room; return how many."""
    now = timezone.now()
    due = Job.objects.due(now).order_by("run_at")
    if not due.exists() or not has_room():  # the usual case, without a write lock
        return 0
    with transaction.atomic():
        locked = due.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
        ids = list(locked.values_list("pk", flat=True)[:BATCH])
        Job.objects.filter(pk__in=ids).update(rung_until=now + RING_AGAIN)
    for job_id in ids:
        send(job_id)
    return len(ids)


def keep_periodic_jobs_coming() -> None:
    """One open job for each periodic kind; a finished one is followed by the next."""
    now = timezone.now()
    open_jobs = Job.objects.open().filter(dedupe_key__in=jobs.PERIODIC)
    coming = dict(open_jobs.values_list("kind", "run_at"))
    for kind, run_at in coming.items():
        if _by_its_period(kind, run_at, now) != run_at:
            open_jobs.filter(kind=kind).update(run_at=now)
    for kind in jobs.PERIODIC.keys() - set(coming):
        last = Job.objects.filter(kind=kind).aggregate(at=Max("run_at"))["at"]
        run_at = now if last is None else max(last + jobs.PERIODIC[kind], now)
        Job.enqueue(kind, run_at=_by_its_period(kind, run_at, now), dedupe_key=kind)


def _by_its_period(kind: str, run_at: datetime, now: datetime) -> datetime:
    """Now, where a clock that was ahead has been put back: else even the heartbeat would wait for it."""
    return now if run_at > now + jobs.PERIODIC[kind] + AHEAD else run_at


def bring_back_what_is_late() -> None:
    """What a clock that was ahead wrote, or put off when it failed, would wait until it is that late."""
    now = timezone.now()
    is_to_wait = Q(created_at__gt=now + AHEAD) | Q(attempts__gt=0)
    for job in Job.objects.open().filter(is_to_wait, run_at__gt=now + AHEAD):
        open_job = Job.objects.open().filter(pk=job.pk, run_at=job.run_at)
        if job.created_at is not None and job.created_at > now + AHEAD:
            open_job.update(run_at=job.run_at - (job.created_at - now), created_at=now)
        elif job.run_at > now + retry_after(job.attempts) + AHEAD:
            open_job.update(run_at=now)


def run(send: Callable[[int], object], has_room: Callable[[], bool], stop: threading.Event) -> None:
    look_again = 0.0

    def look() -> None:
        nonlocal look_again
        if time.monotonic() >= look_again:
            keep_periodic_jobs_coming()
            bring_back_what_is_late()
            look_again = time.monotonic() + PERIODIC_LOOK_SECONDS
        while dispatch_due(send, has_room) == BATCH:
            pass

    look_until(stop, look)


def look_until(stop: threading.Event, look: Callable[[], object]) -> None:
    """Again and again: a database that is away for a while ends nothing."""
    while not stop.is_set():
        try:
            look()
            stop.wait(PAUSE_SECONDS)
        except Exception:
            logger.exception("a worker could not look for work")
            close_old_connections()
            stop.wait(PAUSE_AFTER_FAILURE_SECONDS)
