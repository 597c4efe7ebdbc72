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
from django.db.models import Exists, Max, OuterRef, QuerySet

from epmm import audit, audit_checkpoint, options, settings_store
from epmm.models import AuditEntry, AuditSeal
from epmm.snapshot import one_snapshot
from epmm.spaces import GLOBAL_SPACE

GENESIS: Final = bytes(32)
BITE: Final = 1000
LATE: Final = 20_000  # no transaction stays open while others write so many entries
APART: Final = timedelta(hours=1)  # clocks that are further apart are worth a word
MOST_PROBLEMS: Final = 100


def seal() -> int:
    """Link what is new; return how many entries that were."""
    sealed = some = _seal_some()
    while some == BITE:
        sealed += (some := _seal_some())
    return sealed


def _seal_some() -> int:
    last = AuditSeal.objects.order_by("-position").first()
    rows = list(unsealed(last).order_by("pk")[:BITE])
    links = _links(rows, last)
    try:
        with transaction.atomic():
            AuditSeal.objects.bulk_create(links)
    except IntegrityError:  # another worker was first: it has these
        return 0
    return len(rows)


def unsealed(last: AuditSeal | None) -> QuerySet[AuditEntry]:
    """What is to be linked next; `last`: the newest link."""
    return _without_link() if last is None else _without_link().filter(pk__gt=_settled())


def _without_link() -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(~Exists(AuditSeal.objects.filter(entry_id=OuterRef("pk"))))


def _settled() -> int:
    """What has no link up to here was not written by us.  By number: the clocks of several machines prove nothing."""
    newest: int | None = AuditSeal.objects.aggregate(newest=Max("entry_id"))["newest"]
    return (newest or 0) - LATE


def _links(rows: Iterable[AuditEntry], last: AuditSeal | None) -> list[AuditSeal]:
    position, digest = (last.position, bytes(last.digest)) if last else (0, GENESIS)
    links = []
    for row in rows:
        position += 1
        link = AuditSeal(
            position=position, entry_id=row.pk, action=row.action, at=row.at, entry_sha256=entry_sha256(row)
        )
        link.digest = digest = digest_after(digest, link)
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
            *([row.space_id] if row.space_id != GLOBAL_SPACE else []),  # entries from before had none
        ]
    )


def digest_after(before: bytes, link: AuditSeal) -> bytes:
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
    dropped: int = 0  # what strangers caused, and is bounded in number
    behind: int = 0  # with a time long before that of an earlier link
    position: int = 0
    head: bytes = GENESIS
    newest: datetime | None = None
    forgotten: str = ""
    problems: list[str] = field(default_factory=list)

    def tell(self, problem: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(problem)

    @property
    def notes(self) -> list[str]:
        """Nothing of it is wrong by itself, and all of it somebody should know."""
        dropped = f"{self.dropped} failed sign-ins have a link and no entry: of these only the newest are kept."
        behind = f"{self.behind} entries bear a time more than an hour before that of one with an earlier link."
        said = (self.forgotten, dropped if self.dropped else "", behind if self.behind else "")
        return [note for note in said if note]


def verify(*, noted: tuple[int, str] | None = None) -> Report:
    """Everything, from the first link that is kept; `noted`: a position and its digest as somebody wrote them down."""
    report = Report()
    with one_snapshot():  # links may come, and the oldest go, while it is read
        _begin(AuditSeal.objects.order_by("position").first(), report, noted)
        for links in _in_bites():
            _verify(links, report, noted)
        if noted is not None and noted[0] > report.position:
            report.tell(f"The log ends at {report.position}, before the noted position {noted[0]}.")
        _verify_unsealed(report)
    return report


def _begin(first: AuditSeal | None, report: Report, noted: tuple[int, str] | None) -> None:
    """After what was forgotten, if anything was: of that the checkpoint alone is believed."""
    try:
        forgotten = audit_checkpoint.read()
    except audit_checkpoint.Forged:
        forgotten = audit_checkpoint.NOTHING
        report.tell("What was forgotten is not told by this server: its keys do not open the checkpoint.")
    if forgotten.through:
        report.forgotten = f"{forgotten} Now general.audit_days is {settings_store.read(options.AUDIT_DAYS) or 'none'}."
    if not forgotten.is_old_enough:
        report.tell(f"Entries were forgotten that were younger than {forgotten.days} days.")
    report.position, report.head = forgotten.through, forgotten.digest
    if first is None and forgotten.through:
        report.tell(f"Nothing is left after {forgotten.through}, through which the log was forgotten.")
    elif first is not None and first.position != forgotten.through + 1:
        report.tell(f"The log begins at {first.position}; what was forgotten ends at {forgotten.through}.")
        report.position, report.head = first.position - 1, b""
    if noted is not None and noted[0] < report.position:
        report.tell(f"The noted position {noted[0]} is before the beginning, {report.position + 1}: note a later one.")
    elif noted is not None and noted[0] == report.position and report.head:
        _compare(report, noted)


def _compare(report: Report, noted: tuple[int, str]) -> None:
    if noted[1].lower() != report.head.hex():
        report.tell(f"{report.position}: not the digest that was noted.")


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
        elif report.head and digest_after(report.head, link) != bytes(link.digest):
            report.tell(f"{link.position}: its link does not follow from the one before.")
        _verify_entry(link, entries.get(link.entry_id), report)
        report.position, report.head = link.position, bytes(link.digest)
        report.sealed += 1
        report.behind += report.newest is not None and link.at < report.newest - APART
        report.newest = max(report.newest or link.at, link.at)
        if noted is not None and noted[0] == link.position:
            _compare(report, noted)


def _verify_entry(link: AuditSeal, entry: AuditEntry | None, report: Report) -> None:
    if entry is None:
        if link.action in audit.BOUNDED:
            report.dropped += 1
        else:
            report.tell(f"{link.position}: the entry {link.entry_id} ({link.action}, {_time(link.at)}) was removed.")
    elif entry_sha256(entry) != bytes(link.entry_sha256):
        report.tell(f"{link.position}: the entry {link.entry_id} ({link.action}, {_time(link.at)}) was changed.")


def _verify_unsealed(report: Report) -> None:
    last = AuditSeal.objects.order_by("-position").first()
    report.waiting = unsealed(last).count()
    if last is None:
        return
    for pk, action in _without_link().filter(pk__lte=_settled()).values_list("pk", "action")[:MOST_PROBLEMS]:
        report.tell(f"The entry {pk} ({action}) has no link: it was written afterwards.")
