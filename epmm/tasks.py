import logging
from datetime import timedelta
from typing import Final

from celery import shared_task
from django.conf import settings
from django.utils import timezone
from kombu.exceptions import OperationalError

from epmm import jobs
from epmm.models import Job

logger = logging.getLogger(__name__)
KEPT: Final = timedelta(days=7)


def ring(job_id: int) -> None:
    """Tell a worker at once.  In memory there is no one to tell from here: the dispatcher finds the row."""
    if settings.BROKER_URL.startswith("memory:"):
        return
    try:
        run_job.apply_async((job_id,), retry=False)
    except OperationalError:
        logger.warning("the broker does not answer; the dispatcher will ring later", extra={"job": job_id})


@shared_task(acks_late=True, ignore_result=True)
def run_job(job_id: int) -> None:
    """Safe to run twice and safe to lose: the dispatcher rings again for whatever is overdue."""
    try:
        with Job.leased(job_id) as job:
            if job is not None:
                jobs.run(job.kind, job.arguments)
    except Exception:
        # put off by the lease; the traceback is for the operator, not for the broker
        logger.exception("a job failed and will be tried again", extra={"job": job_id})


@jobs.handles("epmm.forget_finished_jobs", every=timedelta(hours=1))
def forget_finished_jobs() -> None:
    Job.objects.filter(done_at__lt=timezone.now() - KEPT).delete()
