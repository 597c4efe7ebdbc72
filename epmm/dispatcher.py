"""Finds what is due and rings for it.  Any number may run; rows are taken with a lock that others skip."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from django.db import close_old_connections, connection, transaction
from django.utils import timezone

from epmm import jobs
from epmm.models import RING_AGAIN, Job

logger = logging.getLogger(__name__)
BATCH: Final = 200
PAUSE_SECONDS: Final = 0.2
PAUSE_AFTER_FAILURE_SECONDS: Final = 2.0


def dispatch_due(send: Callable[[int], object]) -> int:
    """Ring for the jobs that are due; return how many."""
    now = timezone.now()
    due = Job.objects.due(now).order_by("run_at")
    if not due.exists():  # the usual case, without a write lock
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
    for kind, every in jobs.PERIODIC.items():
        last = Job.objects.filter(kind=kind).order_by("-run_at").first()
        if last is None or last.done_at is not None:
            run_at = now if last is None else last.run_at + every
            Job.enqueue(kind, run_at=max(run_at, now), dedupe_key=kind)


def ring_for_outboxes(ring: Callable[[str], object]) -> None:
    """Ring for work that waits in tables of its own."""
    for kind, waiting in jobs.OUTBOXES.items():
        if waiting():
            ring(kind)


def run(send: Callable[[int], object], ring: Callable[[str], object], stop: threading.Event) -> None:
    """Until `stop`: a database that is away for a while ends nothing."""
    while not stop.is_set():
        try:
            ring_for_outboxes(ring)
            keep_periodic_jobs_coming()
            while dispatch_due(send) == BATCH:
                pass
            stop.wait(PAUSE_SECONDS)
        except Exception:
            logger.exception("the dispatcher could not look for work")
            close_old_connections()
            stop.wait(PAUSE_AFTER_FAILURE_SECONDS)
