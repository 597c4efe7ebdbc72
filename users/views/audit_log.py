"""Logs > Audit Logs (portal specification, section 14)."""

import json
from collections.abc import Iterator
from typing import Final

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from epmm.models import AuditEntry
from epmm.portal.filters import Filter, Filters, days
from epmm.portal.lists import Badge, Column, Listing

TONES: Final = {
    AuditEntry.Status.SUCCESS: "good",
    AuditEntry.Status.FAILED: "bad",
    AuditEntry.Status.INITIATED: "waiting",
}
NEWEST: Final = 1_000
SHOWN_DETAILS: Final = 200


def _recent_actions() -> Iterator[str]:
    """Among the newest entries: all of them would be a walk through the whole log."""
    yield from sorted(set(AuditEntry.objects.order_by("-at").values_list("action", flat=True)[:NEWEST]))


def _details(entry: AuditEntry) -> str:
    if not entry.details:
        return ""
    text = ", ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"
        for name, value in entry.details.items()
    )
    return text if len(text) <= SHOWN_DETAILS else f"{text[:SHOWN_DETAILS]}…"


FILTERS: Final = (
    Filter(key="action", label=_("Action"), lookup="action", known=_recent_actions),
    Filter(key="status", label=_("Status"), lookup="status", values=AuditEntry.Status.choices),
    Filter(key="actor", label=_("Actor"), lookup="actor"),
    Filter(key="subject", label=_("Subject"), lookup="subject"),
    *days("at", since=_("From"), until=_("To")),
)
LISTING: Final = Listing[AuditEntry](
    name="logs-audit",
    title=_("Audit Logs"),
    columns=(
        Column(key="at", label=_("Time"), value=lambda entry: entry.at, order="at"),
        Column(key="actor", label=_("Actor"), value=lambda entry: entry.actor),
        Column(key="address", label=_("Actor's address"), value=lambda entry: entry.address),
        Column(key="action", label=_("Action"), value=lambda entry: entry.action),
        Column(key="subject_type", label=_("Subject type"), value=lambda entry: entry.subject_type),
        Column(key="subject", label=_("Subject"), value=lambda entry: entry.subject),
        Column(
            key="status",
            label=_("Status"),
            value=lambda entry: Badge(entry.status, TONES.get(AuditEntry.Status(entry.status), "plain")),
        ),
        Column(key="details", label=_("Details"), value=_details),
    ),
    sorted_by="-at",
    empty=_("Nothing has been recorded yet."),
)


@require_safe
def audit_log(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    filters = Filters(request, FILTERS)
    view = LISTING.view(request, filters.apply(AuditEntry.objects.all()))
    if request.GET.get("format") == "csv":
        return view.csv()
    return render(request, "portal/logs/list.html", view.context() | filters.context())
