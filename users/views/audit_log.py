"""Logs > Audit Logs (portal specification, section 14)."""

import json
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from epmm import audit
from epmm.models import AuditEntry, AuditExport
from epmm.portal.filters import Filters
from epmm.portal.lists import Badge, Column, Listing, Long
from users.services import audit_export, audit_search
from users.services.audit_export import ExportRefused
from users.views.dialogs import administrator

TONES: Final = {
    AuditEntry.Status.SUCCESS: "good",
    AuditEntry.Status.FAILED: "bad",
    AuditEntry.Status.INITIATED: "waiting",
}
SHOWN_DETAILS: Final = 200


def status(entry: AuditEntry) -> Badge:
    return Badge(entry.get_status_display(), TONES.get(AuditEntry.Status(entry.status), "plain"))


def details(entry: AuditEntry) -> str:
    told = {name: value for name, value in entry.details.items() if name != audit.NOTE}
    named = (f"{name}: {_said(value)}" for name, value in told.items() if value not in (None, "", [], {}))
    text = _said(told) if told.keys() == {"from", "to"} else ", ".join(named)
    return text if len(text) <= SHOWN_DETAILS else f"{text[:SHOWN_DETAILS]}…"


def _said(value: Any) -> str:
    match value:
        case {"from": before, "to": after, **others} if not others:
            return f"{_said(before)} → {_said(after)}"
        case [None, after]:  # of something new, which was nothing before
            return _said(after)
        case None | "":
            return "\N{EN DASH}"
        case str():
            return value
    return json.dumps(value, ensure_ascii=False)


LISTING: Final = Listing[AuditEntry](
    name="logs-audit",
    title=_("Audit Logs"),
    columns=(
        Column(key="at", label=_("Time"), value=lambda entry: entry.at, order="at"),
        Column(key="actor", label=_("Actor"), value=lambda entry: entry.actor, order="actor", then="at"),
        Column(key="address", label=_("Actor's address"), value=lambda entry: entry.address),
        Column(key="action", label=_("Action"), value=lambda entry: entry.action, order="action", then="at"),
        Column(key="subject_type", label=_("Subject type"), value=lambda entry: entry.subject_type),
        Column(key="subject", label=_("Subject"), value=lambda entry: entry.subject, order="subject", then="at"),
        Column(
            key="status",
            label=_("Status"),
            value=status,
            order="status",
            then="at",
        ),
        Column(key="details", label=_("Details"), value=lambda entry: Long(details(entry)), told=details),
        Column(key="note", label=_("Note"), value=lambda entry: str(entry.details.get(audit.NOTE, ""))),
    ),
    sorted_by="-at",
    find=audit_search.find,
    search_hint=_("Actor, subject or serial number"),
    empty=_("Nothing has been recorded yet."),
)


@require_safe
def audit_log(request: HttpRequest) -> HttpResponse:
    filters = Filters(request, audit_search.FILTERS)
    view = LISTING.view(request, filters.apply(AuditEntry.objects.all()))
    context = view.context() | filters.context() | {"asked": audit_search.chosen(request.GET.dict()).items()}
    return render(request, "portal/logs/audit.html", context)


@require_POST
def export(request: HttpRequest) -> HttpResponse:
    """What the filters and the search box say, as a file that the worker makes."""
    try:
        audit_export.ask(administrator(request), audit_search.chosen(request.POST.dict()))
    except ExportRefused as refused:
        messages.error(request, str(refused))
    return redirect("portal:logs-audit-exports")


@require_safe
def exports(request: HttpRequest) -> HttpResponse:
    shown = list(audit_export.of(administrator(request)))
    is_at_work = any(each.state != AuditExport.State.DONE for each in shown)
    context = {"exports": shown, "is_at_work": is_at_work, "most": audit_export.MOST_ROWS}
    page = "portal/logs/exports_table.html" if "HX-Request" in request.headers else "portal/logs/exports.html"
    return render(request, page, context)


@require_safe
def fetch(request: HttpRequest, uuid: UUID) -> StreamingHttpResponse:
    try:
        lines = audit_export.fetch(administrator(request), uuid)
    except AuditExport.DoesNotExist as error:
        raise Http404 from error
    headers = {"Content-Disposition": f'attachment; filename="audit-{timezone.now():%Y-%m-%d}.csv"'}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)
