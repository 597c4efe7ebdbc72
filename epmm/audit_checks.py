"""How the audit log stands: what waits for its link, and what the last look at the whole chain found."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from epmm import audit, audit_chain
from epmm.models import AuditCheck, AuditSeal, Job

BEHIND_AFTER: Final = timedelta(minutes=10)  # the worker links every half minute
KEPT: Final = 30
PROBLEMS_KEPT: Final = 20
KIND: Final = "epmm.check_audit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    position: int
    sealed_at: datetime | None  # when the newest linked entry was written
    waiting_since: datetime | None
    check: AuditCheck | None

    @property
    def is_behind(self) -> bool:
        return self.waiting_since is not None and timezone.now() - self.waiting_since > BEHIND_AFTER

    @property
    def is_broken(self) -> bool:
        return self.check is not None and self.check.problem_count > 0


def standing() -> Standing:
    last = AuditSeal.objects.order_by("-position").first()
    waiting = audit_chain.unsealed(last).order_by("at").values_list("at", flat=True)
    return Standing(
        position=last.position if last else 0,
        sealed_at=last.at if last else None,
        waiting_since=waiting.first(),
        check=AuditCheck.objects.order_by("-pk").first(),
    )


def check(*, actor: str, noted: tuple[int, str] | None = None) -> audit_chain.Report:
    """Look at everything, and keep what came of it."""
    report = audit_chain.verify(noted=noted)
    kept = AuditCheck.objects.create(
        actor=actor[:255],
        sealed=report.sealed,
        waiting=report.waiting,
        problems=report.problems[:PROBLEMS_KEPT],
        problem_count=len(report.problems),
    )
    AuditCheck.objects.filter(pk__lte=kept.pk - KEPT).delete()
    return report


def check_soon(*, actor: str) -> None:
    """By the worker: a log of years takes a while."""
    Job.enqueue(KIND, dedupe_key=KIND, actor=actor)


def ask(*, actor: str) -> None:
    """Somebody wants to know."""
    check_soon(actor=actor)
    audit.record("audit.check_asked", actor=actor, subject_type="audit", subject="chain")


def is_being_checked() -> bool:
    return Job.objects.open().filter(kind=KIND).exists()
