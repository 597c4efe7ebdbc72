"""The oldest audit entries go when `general.audit_days` limits their age; what is left verifies as before."""

import logging
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from epmm import audit, audit_checkpoint, options, settings_store
from epmm.audit_chain import BITE, digest_after
from epmm.audit_checkpoint import Checkpoint
from epmm.models import AuditEntry, AuditSeal

FORGOTTEN: Final = "audit.forgotten"
logger = logging.getLogger(__name__)


class NotWhole(Exception):
    """What was harmed before is not put in order by forgetting it."""


def forget() -> int:
    """From the beginning up to the first that is young enough, in bites; return how many entries that were."""
    days = settings_store.read(options.AUDIT_DAYS)
    if days is None:
        return 0
    before = timezone.now() - timedelta(days=days)
    kept = AuditSeal.objects.filter(at__gte=before).order_by("position").values_list("position", flat=True).first()
    forgotten = 0
    try:
        while kept is not None and (some := _forget_some(kept, days)):
            forgotten += some
    except (NotWhole, audit_checkpoint.Forged):
        message = "the beginning of the audit log is not whole, so nothing is forgotten: see verify_audit"
        logger.error(message)  # noqa: TRY400 - where it was noticed says nothing more
    if forgotten:
        _record()
    return forgotten


@transaction.atomic
def _forget_some(kept: int, days: int) -> int:
    audit_checkpoint.lock()
    before = audit_checkpoint.read()
    links = list(AuditSeal.objects.filter(position__lt=kept).order_by("position")[:BITE])
    if not links:
        return 0
    _check(links, before)
    last = links[-1]
    AuditEntry.objects.filter(pk__in=[link.entry_id for link in links]).delete()
    AuditSeal.objects.filter(position__lte=last.position).delete()
    audit_checkpoint.write(
        Checkpoint(
            through=last.position,
            digest=bytes(last.digest),
            entries=before.entries + len(links),
            newest=max(before.newest, *(link.at for link in links)),
            at=timezone.now(),
            days=days,
        )
    )
    return len(links)


def _check(links: list[AuditSeal], before: Checkpoint) -> None:
    position, digest = before.through, before.digest
    for link in links:
        position, digest = position + 1, digest_after(digest, link)
        if (link.position, bytes(link.digest)) != (position, digest):
            raise NotWhole


def _record() -> None:
    now = audit_checkpoint.read()
    audit.record(
        FORGOTTEN,
        actor="worker",
        subject_type="audit",
        subject=f"through {now.through}",
        details={"through": now.through, "digest": now.digest.hex(), "entries": now.entries},
    )
