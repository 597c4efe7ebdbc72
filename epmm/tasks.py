import logging
import time
from contextlib import ExitStack
from datetime import timedelta
from typing import Final

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from epmm import (
    celery,  # the application whose tasks these are
    jobs,
    metrics,
    request_id,
    statistics,
)
from epmm.doorbell import Doorbell
from epmm.models import Job

logger = logging.getLogger(__name__)
KEPT: Final = timedelta(days=1)


def ring(job_id: int) -> None:
    """Tell a worker at once.  In memory there is no one to tell from here: the dispatcher finds the row."""
    if not settings.BROKER_URL.startswith("memory:"):
        doorbell.ring(job_id)


@shared_task(acks_late=True, ignore_result=True)
def run_job(job_id: int) -> None:
    """Safe to run twice and safe to lose: the dispatcher rings again for whatever is overdue."""
    with ExitStack() as named:
        try:
            with Job.leased(job_id) as job:
                if job is not None:
                    named.enter_context(request_id.known_as(job.request_id or ""))
                    _run(job)
        except Exception:
            # put off by the lease; the traceback is for the operator, not for the broker
            logger.exception("a job failed and will be tried again", extra={"job": job_id})


def _run(job: Job) -> None:
    """Time and count it; a periodic one that went well is no news."""
    began, outcome = time.perf_counter(), "failed"
    try:
        jobs.run(job.kind, job.arguments)
        outcome = "done"
    finally:
        seconds = time.perf_counter() - began
        metrics.job_seconds.labels(job.kind, outcome).observe(seconds)
    level = logging.DEBUG if job.kind in jobs.PERIODIC else logging.INFO
    logger.log(level, "%s done in %.1f ms", job.kind, seconds * 1000, extra={"job": job.pk})


def _ring(job_id: int) -> None:
    if celery.has_room():  # else the dispatcher rings when its turn has come
        run_job.apply_async((job_id,), retry=False)


doorbell: Final = Doorbell(_ring)


@jobs.handles("epmm.heartbeat", every=timedelta(seconds=20))
def heartbeat() -> None:
    """Something to take, for a worker without work: that is when one beats (`at_work`).

    It proves dispatcher, broker and worker at once: monitoring and `doctor` look at it.
    """


@jobs.handles("epmm.forget_finished_jobs", every=timedelta(hours=1))
def forget_finished_jobs() -> None:
    Job.objects.filter(done_at__lt=timezone.now() - KEPT).delete()


@jobs.handles("epmm.renew_statistics", every=timedelta(hours=6))
def renew_statistics() -> None:
    statistics.renew()


@jobs.handles("epmm.seal_audit", every=timedelta(seconds=30))
def seal_audit() -> None:
    from epmm import audit_chain

    audit_chain.seal()


@jobs.handles("epmm.check_audit")
def check_audit(actor: str) -> None:
    from epmm import audit_checks

    audit_checks.check(actor=actor)


@jobs.handles("epmm.forget_audit", every=timedelta(hours=1))
def forget_audit() -> None:
    """The head goes into the log of the process: what is kept elsewhere nobody changes here."""
    from epmm import audit_retention
    from epmm.models import AuditSeal

    audit_retention.forget()
    if head := AuditSeal.objects.order_by("-position").first():
        logger.info("audit log sealed", extra={"position": head.position, "digest": bytes(head.digest).hex()})


def _mail_waits() -> bool:
    from epmm import mail_outbox

    return mail_outbox.is_waiting()


@jobs.handles("epmm.send_mail", outbox=_mail_waits)
def send_mail() -> None:
    from epmm import mail_outbox

    mail_outbox.drain()


@jobs.handles("epmm.forget_mail", every=timedelta(hours=6))
def forget_mail() -> None:
    from epmm import mail_outbox

    mail_outbox.forget(timezone.now())


def _events_wait() -> bool:
    from epmm import webhook_outbox

    return webhook_outbox.is_waiting()


@jobs.handles("epmm.send_webhooks", outbox=_events_wait)
def send_webhooks() -> None:
    from epmm import webhook_outbox

    webhook_outbox.drain()


@jobs.handles("epmm.forget_webhooks", every=timedelta(hours=1))
def forget_webhooks() -> None:
    from epmm import webhook_outbox

    webhook_outbox.forget(timezone.now())
