import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar, Final, Self

from django.db import DatabaseError, connection, models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from epmm import request_id
from epmm.fields import EncryptedField
from epmm.mail_models import Mail, MailQuerySet
from epmm.spaces import InSpace
from epmm.webhook_models import Event, ExpiryNotice, Webhook, WebhookDelivery, WebhookDeliveryQuerySet

__all__ = [
    "AuditCheck",
    "AuditCheckpoint",
    "AuditEntry",
    "AuditExport",
    "AuditExportPart",
    "AuditSeal",
    "Event",
    "ExpiryNotice",
    "Heartbeat",
    "Job",
    "JobQuerySet",
    "Mail",
    "MailQuerySet",
    "ScheduledRun",
    "SettingRow",
    "Webhook",
    "WebhookDelivery",
    "WebhookDeliveryQuerySet",
]

LEASE: Final = timedelta(minutes=1)  # renewed while the job runs; a worker that died gives it back after this
RING_AGAIN: Final = timedelta(seconds=30)  # a doorbell that nobody heard is rung again after this
AHEAD: Final = timedelta(minutes=10)  # what lies further ahead than it can was written before the clock was put back
BEAT: Final = timedelta(seconds=10)  # no need to write it more often
FIRST_RETRY: Final = timedelta(seconds=5)
LAST_RETRY: Final = timedelta(hours=1)


class SettingRow(models.Model):
    """One setting that differs from its default; `epmm/settings_store.py` gives it its type."""

    name = models.CharField(max_length=100, primary_key=True)
    value = models.TextField()
    sealed = EncryptedField(null=True)  # instead of the value, where that is a secret
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.CharField(max_length=255)

    def __str__(self) -> str:
        return self.name


class AuditEntry(InSpace):
    class Status(models.TextChoices):
        SUCCESS = "Success", _("Success")
        FAILED = "Failed", _("Failed")
        INITIATED = "Initiated", _("Initiated")

    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.CharField(max_length=255)
    address = models.GenericIPAddressField(null=True)
    action = models.CharField(max_length=64)
    subject_type = models.CharField(max_length=32)
    subject = models.CharField(max_length=255)
    status = models.CharField(max_length=16, choices=Status.choices)
    details = models.JSONField(default=dict)

    class Meta:
        # the newest of what somebody looks for, without a walk through the whole log
        indexes: ClassVar = [
            models.Index(fields=["action", "at", "id"], name="audit_action"),
            models.Index(fields=["actor", "at", "id"], name="audit_actor"),
            models.Index(fields=["subject", "at", "id"], name="audit_subject"),
            models.Index(fields=["status", "at", "id"], name="audit_status"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


class AuditSeal(models.Model):
    """One link of the chain over the audit entries; see `epmm/audit_chain.py`.

    It outlives its entry where the product itself forgets that, so `action` and `at` stand here, too.
    """

    position = models.PositiveBigIntegerField(primary_key=True)
    entry_id = models.BigIntegerField(unique=True)
    action = models.CharField(max_length=64)
    at = models.DateTimeField()
    entry_sha256 = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"{self.position} {self.action}"


class AuditCheck(models.Model):
    """What came of looking at the whole chain once."""

    at = models.DateTimeField(default=timezone.now)
    actor = models.CharField(max_length=255)
    sealed = models.PositiveBigIntegerField()
    waiting = models.PositiveBigIntegerField()
    problems = models.JSONField(default=list)  # the first of them, as sentences
    problem_count = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.problem_count}"


class AuditExport(models.Model):
    """A part of the audit log as a file, made by the worker for the one who asked, and gone after a day."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("Being made")
        DONE = "done", _("Ready")

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    owner = models.CharField(max_length=255)  # the user ID; whoever gets it later has no older exports
    asked = models.JSONField(default=dict)  # the filters, as the page's address has them
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    rows = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["owner", "-created_at"], name="audit_export_owner")]

    def __str__(self) -> str:
        return f"{self.owner} {self.created_at:%Y-%m-%d %H:%M}"


class AuditExportPart(models.Model):
    """Some lines of an export, compressed and closed: web and worker share the database, not always a disk."""

    export = models.ForeignKey(AuditExport, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    content = EncryptedField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["export", "number"], name="audit_export_part_once")]

    def __str__(self) -> str:
        return f"{self.export_id}/{self.number}"


class ScheduledRun(models.Model):
    """When something that runs daily, weekly or monthly ran last, and what came of it."""

    name = models.CharField(max_length=64, primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=255, blank=True)
    result = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name


class AuditCheckpoint(models.Model):
    """What was forgotten of the audit log; see `epmm/audit_checkpoint.py`."""

    told = EncryptedField()

    def __str__(self) -> str:
        return "what was forgotten"


class Heartbeat(models.Model):
    """When a kind of process was last known to work; monitoring reads it."""

    name = models.CharField(max_length=32, primary_key=True)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name

    @classmethod
    def beat(cls) -> None:
        """Whoever works says so, now and then; the worker that has nothing to do has a job for it."""
        now = timezone.now()
        with suppress(DatabaseError):  # the next time, then
            if not cls.objects.filter(name="worker", at__range=(now - BEAT, now)).exists():
                cls.objects.update_or_create(name="worker", defaults={"at": now})


@contextmanager
def at_work(renew: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Beat, and renew what is held, until the block ends: whoever has much to do has not gone."""
    done = threading.Event()

    def go_on() -> None:
        while not done.wait(LEASE.total_seconds() / 3):
            with suppress(DatabaseError):  # the next time, then
                renew()
            Heartbeat.beat()
            connection.close()

    Heartbeat.beat()
    thread = threading.Thread(target=go_on, name="at-work", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()


def _is_over(until: str, now: datetime, longest: timedelta) -> Q:
    ahead = {f"{until}__gt": now + longest + AHEAD}
    return Q(**{until: None}) | Q(**{f"{until}__lte": now}) | Q(**ahead)


def retry_after(attempts: int) -> timedelta:
    return min(FIRST_RETRY * (1 << min(attempts - 1, 10)), LAST_RETRY)


class JobQuerySet(models.QuerySet["Job"]):
    def open(self) -> Self:
        return self.filter(done_at=None)

    def due(self, now: datetime) -> Self:
        """Neither finished, put off, being worked on, nor rung a moment ago."""
        rung = _is_over("rung_until", now, RING_AGAIN)
        return self.open().filter(_is_over("lease_until", now, LEASE), rung, run_at__lte=now)


class Job(models.Model):
    """Work for the worker, written in the transaction that makes it necessary.

    The row is the truth, the broker is a doorbell: a lost message costs a moment, never the work.
    """

    kind = models.CharField(max_length=64)
    arguments = models.JSONField(default=dict)
    run_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(null=True)  # null from a release that did not know it
    rung_until = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=500, blank=True)
    # at most one open job carries the same key
    dedupe_key = models.CharField(max_length=200, null=True)  # noqa: DJ001 - null keeps it out of the unique index
    # of the request that made it necessary; null from a release that did not know it
    request_id = models.CharField(max_length=64, null=True)  # noqa: DJ001

    objects = JobQuerySet.as_manager()

    class Meta:
        indexes: ClassVar = [models.Index(fields=["run_at"], condition=Q(done_at=None), name="job_open")]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dedupe_key"], condition=Q(done_at=None), name="job_open_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @classmethod
    def enqueue(
        cls, kind: str, *, run_at: datetime | None = None, dedupe_key: str | None = None, **arguments: Any
    ) -> None:
        """Write the row; with a key, nothing when an open job has it already."""
        if dedupe_key is None:
            cls.enqueue_each(kind, [arguments], run_at=run_at)
            return
        job = cls._new(kind, arguments, run_at)
        job.dedupe_key = dedupe_key
        Job.objects.bulk_create([job], ignore_conflicts=True)

    @classmethod
    def enqueue_each(cls, kind: str, arguments: Iterable[Mapping[str, Any]], *, run_at: datetime | None = None) -> None:
        """A job for each of these arguments, in one statement."""
        from epmm.tasks import ring  # tasks import this module

        for job in Job.objects.bulk_create(cls._new(kind, each, run_at) for each in arguments):
            transaction.on_commit(partial(ring, job.pk), robust=True)

    @classmethod
    def _new(cls, kind: str, arguments: Mapping[str, Any], run_at: datetime | None) -> "Job":
        now = timezone.now()
        return Job(
            kind=kind,
            arguments=arguments,
            run_at=run_at or now,
            created_at=now,
            request_id=request_id.current() or None,
        )

    @classmethod
    @contextmanager
    def leased(cls, job_id: int) -> Iterator["Job | None"]:
        """Hold the job while the block runs; None when another worker has it or it is done.

        An exception puts it off, longer each time, and goes on to the caller.
        """
        now = timezone.now()
        free = _is_over("lease_until", now, LEASE)
        taken = cls.objects.open().filter(free, pk=job_id).update(lease_until=now + LEASE, attempts=F("attempts") + 1)
        if not taken:
            yield None
            return
        job = cls.objects.get(pk=job_id)
        held = cls.objects.filter(pk=job_id, attempts=job.attempts)  # no longer ours once another has taken it
        try:
            with at_work(lambda: held.update(lease_until=timezone.now() + LEASE)):  # nobody else begins it
                yield job
        except Exception as error:
            held.update(
                run_at=timezone.now() + retry_after(job.attempts),
                lease_until=None,
                rung_until=None,
                last_error=type(error).__name__,
            )
            raise
        held.update(done_at=timezone.now(), lease_until=None, last_error="")
