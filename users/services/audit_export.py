"""The audit log as a file: the worker writes it in closed parts into the database, its owner fetches it, a day later
it is gone.  docs/decisions says why it lies there.
"""

import csv
import io
import json
import zlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from epmm import audit
from epmm.models import AuditEntry, AuditExport, AuditExportPart, Job
from epmm.portal import keyset
from epmm.portal.keyset import Order
from epmm.portal.lists import plain
from users.models import User
from users.services import audit_search

KIND: Final = "users.export_audit"
KEPT: Final = timedelta(days=1)
PART_ROWS: Final = 2_000
MOST_ROWS: Final = 1_000_000
MOST_AT_ONCE: Final = 3
NEWEST_FIRST: Final = Order("at", is_descending=True)
HEADINGS: Final = ("time", "actor", "address", "action", "subject_type", "subject", "status", "note", "details")


class ExportRefused(Exception):
    """The argument is a sentence for the administrator."""


@transaction.atomic
def ask(user: User, asked: Mapping[str, str]) -> AuditExport:
    """Raises ExportRefused while several are being made."""
    User.objects.select_for_update().get(pk=user.pk)
    if of(user).exclude(state=AuditExport.State.DONE).count() >= MOST_AT_ONCE:
        raise ExportRefused(_("Several exports are being made already. Wait until one of them is ready."))
    export = AuditExport.objects.create(owner=user.user_id, asked=dict(asked))
    _record("audit.export_asked", user, export, asked)
    Job.enqueue(KIND, export=export.pk)
    return export


def of(user: User) -> QuerySet[AuditExport]:
    """This person's, of the last day; none of somebody else who had the user ID before."""
    since = max(timezone.now() - KEPT, user.created_at)
    return AuditExport.objects.filter(owner=user.user_id, created_at__gt=since).order_by("-created_at")


def make(number: int) -> None:
    """Safe to run twice: it begins anew."""
    export = AuditExport.objects.filter(pk=number).exclude(state=AuditExport.State.DONE).first()
    if export is None:
        return
    export.parts.all().delete()
    export.state, export.rows = AuditExport.State.RUNNING, 0
    export.save(update_fields=["state", "rows"])
    for place, entries in enumerate(_in_parts(audit_search.entries(export.asked))):
        lines = _lines(entries, with_headings=place == 0)
        AuditExportPart.objects.create(export=export, number=place, content=zlib.compress(lines.encode()))
        export.rows += len(entries)
        export.save(update_fields=["rows"])
    export.state, export.done_at = AuditExport.State.DONE, timezone.now()
    export.save(update_fields=["state", "done_at"])


def fetch(user: User, uuid: UUID) -> Iterator[bytes]:
    """The lines of a finished one, part by part.  Raises AuditExport.DoesNotExist for whatever is not one's own."""
    export = of(user).get(uuid=uuid, state=AuditExport.State.DONE)
    _record("audit.export_fetched", user, export, export.asked)
    return _content(export)


def forget() -> None:
    AuditExport.objects.filter(created_at__lt=timezone.now() - KEPT).delete()


def _in_parts(found: QuerySet[AuditEntry]) -> Iterator[list[AuditEntry]]:
    """At least one, though it be empty."""
    after = ""
    for _part in range(MOST_ROWS // PART_ROWS):
        page = keyset.page(found, NEWEST_FIRST, size=PART_ROWS, after=after)
        yield page.rows
        if not (after := page.after):
            return


def _lines(entries: list[AuditEntry], *, with_headings: bool) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    if with_headings:
        out.write("\N{BYTE ORDER MARK}")
        writer.writerow(HEADINGS)
    for entry in entries:
        details = {name: value for name, value in entry.details.items() if name != audit.NOTE}
        told = json.dumps(details, ensure_ascii=False) if details else ""
        note = str(entry.details.get(audit.NOTE, ""))
        cells = (entry.at, entry.actor, entry.address, entry.action, entry.subject_type, entry.subject, entry.status)
        writer.writerow([plain(cell) for cell in (*cells, note, told)])
    return out.getvalue()


def _content(export: AuditExport) -> Iterator[bytes]:
    for number in export.parts.order_by("number").values_list("number", flat=True):
        part = export.parts.filter(number=number).first()
        if part is not None:
            yield zlib.decompress(bytes(part.content))


def _record(action: str, user: User, export: AuditExport, asked: Mapping[str, str]) -> None:
    audit.record(
        action,
        actor=user.user_id,
        subject_type="audit_export",
        subject=str(export.uuid),
        details={"filters": dict(asked)},
    )
