"""The chain over the audit entries: whoever changes or removes one breaks it, and `manage.py verify_audit` says where.

Entries are written by whoever changes something, in that transaction, and wait for nobody.  The worker links them a
moment later, in the order in which it finds them committed: docs/decisions names the reasons.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from epmm import audit, options, settings_store
from epmm.models import AuditEntry, AuditSeal

GENESIS: Final = bytes(32)
BITE: Final = 1000
FORGOTTEN_AT_ONCE: Final = 10_000
LATE: Final = timedelta(hours=1)  # no transaction stays open so long, and no clocks are so far apart
FORGOTTEN: Final = "audit.forgotten"
MOST_PROBLEMS: Final = 100


def seal() -> int:
    """Link what is new; return how many entries that were."""
    sealed = some = _seal_some()
    while some == BITE:
        sealed += (some := _seal_some())
    return sealed


def _seal_some() -> int:
    last = AuditSeal.objects.order_by("-position").first()
    rows = list(unsealed(last).order_by("at", "pk")[:BITE])
    links = _links(rows, last)
    try:
        with transaction.atomic():
            AuditSeal.objects.bulk_create(links)
    except IntegrityError:  # another worker was first: it has these
        return 0
    return len(rows)


def unsealed(last: AuditSeal | None) -> QuerySet[AuditEntry]:
    """What is to be linked next; `last`: the link that is the newest."""
    entries = AuditEntry.objects.filter(~Exists(AuditSeal.objects.filter(entry_id=OuterRef("pk"))))
    return entries if last is None else entries.filter(at__gte=_settled(last))


def _settled(last: AuditSeal) -> datetime:
    """What is older has its link, or was not written by us.  A clock that was ahead for a while changes nothing."""
    return min(last.at, timezone.now()) - LATE


def _links(rows: Iterable[AuditEntry], last: AuditSeal | None) -> list[AuditSeal]:
    position, digest = (last.position, bytes(last.digest)) if last else (0, GENESIS)
    links = []
    for row in rows:
        position += 1
        link = AuditSeal(
            position=position, entry_id=row.pk, action=row.action, at=row.at, entry_sha256=entry_sha256(row)
        )
        link.digest = digest = _digest(digest, link)
        links.append(link)
    return links


def entry_sha256(row: AuditEntry) -> bytes:
    return _hash(
        [
            row.pk,
            _time(row.at),
            row.actor,
            row.address,
            row.action,
            row.subject_type,
            row.subject,
            row.status,
            row.details,
        ]
    )


def _digest(before: bytes, link: AuditSeal) -> bytes:
    of_entry = bytes(link.entry_sha256).hex()
    return _hash([before.hex(), link.position, link.entry_id, link.action, _time(link.at), of_entry])


def _hash(values: list[object]) -> bytes:
    return hashlib.sha256(json.dumps(values, sort_keys=True, separators=(",", ":")).encode()).digest()


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


# --- Verification -----------------------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class Report:
    sealed: int = 0
    waiting: int = 0  # too new to have a link
    position: int = 0
    head: bytes = GENESIS
    problems: list[str] = field(default_factory=list)

    def tell(self, problem: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)


def verify(*, noted: tuple[int, str] | None = None) -> Report:
    """Everything, from the first link that is kept; `noted`: a position and its digest as somebody wrote them down."""
    report = Report()
    first = AuditSeal.objects.order_by("position").first()
    if first is not None:
        report.position, report.head = _beginning(first, report)
        for links in _in_bites():
            _verify(links, report, noted)
    if noted is not None and noted[0] > report.position:
        report.tell(f"The log ends at {report.position}, before the noted position {noted[0]}.")
    _verify_unsealed(report)
    return report


def _beginning(first: AuditSeal, report: Report) -> tuple[int, bytes]:
    """The link before the first that is kept, as the entry about what was forgotten names it."""
    if first.position == 1:
        return 0, GENESIS
    through = first.position - 1
    for details in AuditEntry.objects.filter(action=FORGOTTEN).order_by("-at").values_list("details", flat=True):
        if details.get("through") == through:
            return through, bytes.fromhex(details["digest"])
    report.tell(f"The log begins at {first.position}, and nothing says that what was before was forgotten.")
    return through, b""


def _in_bites() -> Iterator[list[AuditSeal]]:
    position = 0
    while links := list(AuditSeal.objects.filter(position__gt=position).order_by("position")[:BITE]):
        yield links
        position = links[-1].position


def _verify(links: list[AuditSeal], report: Report, noted: tuple[int, str] | None) -> None:
    entries = AuditEntry.objects.in_bulk([link.entry_id for link in links])
    for link in links:
        if link.position != report.position + 1:
            report.tell(f"{report.position + 1}: missing, up to {link.position - 1}.")
        elif report.head and _digest(report.head, link) != bytes(link.digest):
            report.tell(f"{link.position}: its link does not follow from the one before.")
        _verify_entry(link, entries.get(link.entry_id), report)
        report.position, report.head = link.position, bytes(link.digest)
        report.sealed += 1
        if noted is not None and noted[0] == link.position and noted[1].lower() != report.head.hex():
            report.tell(f"{link.position}: not the digest that was noted.")


def _verify_entry(link: AuditSeal, entry: AuditEntry | None, report: Report) -> None:
    if entry is None:
        if link.action not in audit.BOUNDED:
            report.tell(f"{link.position}: the entry {link.entry_id} ({link.action}, {_time(link.at)}) was removed.")
    elif entry_sha256(entry) != bytes(link.entry_sha256):
        report.tell(f"{link.position}: the entry {link.entry_id} ({link.action}, {_time(link.at)}) was changed.")


def _verify_unsealed(report: Report) -> None:
    last = AuditSeal.objects.order_by("-position").first()
    report.waiting = unsealed(last).count()
    if last is None:
        return
    without = AuditEntry.objects.filter(~Exists(AuditSeal.objects.filter(entry_id=OuterRef("pk"))))
    for pk, action in without.filter(at__lt=_settled(last)).values_list("pk", "action")[:MOST_PROBLEMS]:
        report.tell(f"The entry {pk} ({action}) has no link: it was written afterwards.")


# --- Retention --------------------------------------------------------------------------------------------------------


def forget() -> int:
    """The oldest entries, when a setting limits their age; what is left says what went, and verifies as before."""
    days = settings_store.read(options.AUDIT_DAYS)
    return 0 if days is None else _forget(timezone.now() - timedelta(days=days))


@transaction.atomic
def _forget(before: datetime) -> int:
    """From the beginning up to the first that is young enough."""
    kept = AuditSeal.objects.filter(at__gte=before).order_by("position").first()
    if kept is None:
        return 0
    old = AuditSeal.objects.filter(position__lt=kept.position).order_by("position")
    links = list(old.select_for_update()[:FORGOTTEN_AT_ONCE])
    if not links:
        return 0
    through = links[-1]
    for start in range(0, len(links), BITE):
        AuditEntry.objects.filter(pk__in=[link.entry_id for link in links[start : start + BITE]]).delete()
    AuditSeal.objects.filter(position__lte=through.position).delete()
    audit.record(
        FORGOTTEN,
        actor="worker",
        subject_type="audit",
        subject=f"through {through.position}",
        details={"through": through.position, "digest": bytes(through.digest).hex(), "entries": len(links)},
    )
    return len(links)
