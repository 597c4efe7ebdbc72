"""Import: rows of a file are put in place once somebody has seen what that changes."""

import csv
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from epmm import audit, row_files
from epmm.imports import ImportRefused, Report, Value, shown
from epmm.numbers import grouped
from epmm.portal.lists import Link
from epmm.row_files import Column, Form, harmless
from users import permissions
from users.errors import InvalidPerson
from users.import_forms import ImportForm
from users.models import AdminRole
from users.permissions import ADMINISTRATOR
from users.services import people_files, people_import
from users.views.dialogs import GO, StepUp, administrator

SHOWN: Final = 200  # lines; all of them come as a file
CHANGES: Final = "changes"
FORMS: Final = {form.value: form for form in Form}
MEDIA: Final = {Form.CSV: "text/csv; charset=utf-8", Form.JSON: "application/json"}
Line = tuple[int, str, str, str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Importable:
    name: str  # of the list's address; its files are called so, too
    title: str | Promise
    about: str | Promise
    list_title: str | Promise
    columns: Sequence[Column]
    rows: Callable[[], Iterator[Mapping[str, Value]]]
    needed: Mapping[str, AdminRole] = field(default_factory=dict)  # to see a column
    run: Callable[..., Report[Any]]
    refusals: tuple[type[Exception], ...]
    asks_who: bool


class _Changed(Exception):
    """Other than what somebody has seen."""


def page(what: Importable) -> Callable[[HttpRequest], HttpResponseBase]:
    @sensitive_post_parameters("password")
    @require_http_methods(["GET", "HEAD", "POST"])
    def imported(request: HttpRequest) -> HttpResponseBase:
        if request.method == "POST":
            return _answer(request, what)
        if form := FORMS.get(request.GET.get("format", "")):
            return _export(request, what, form)
        address = reverse(f"portal:{what.name}-import")
        context = {
            "what": what,
            "form": ImportForm(),
            "address": address,
            "columns": [column.name for column in what.columns],
            "back": Link(str(what.list_title), reverse(f"portal:{what.name}")),
            "exports": [(form.upper(), f"{address}?format={form}") for form in FORMS],
        }
        return render(request, "portal/imports/page.html", context)

    return imported


def _export(request: HttpRequest, what: Importable, form: Form) -> StreamingHttpResponse:
    actor = administrator(request).user_id
    audit.record("list.exported", actor=actor, subject_type="list", subject=what.name, details={"format": form.value})
    columns = [each for each in what.columns if permissions.may(request, what.needed.get(each.name, ADMINISTRATOR))]
    rows = ({column.name: row[column.name] for column in columns} for row in what.rows())
    content = row_files.write(rows, form, columns)
    headers = {"Content-Disposition": f'attachment; filename="{what.name}.{form}"'}
    return StreamingHttpResponse(content, content_type=MEDIA[form], headers=headers)


def _answer(request: HttpRequest, what: Importable) -> HttpResponse:
    form = ImportForm(request.POST, request.FILES)
    try:
        if not form.is_valid():
            return _told(request, problems=[str(error) for errors in form.errors.values() for error in errors])
        return _looked(request, what, form.content(), partial=form.cleaned_data["partial"])
    except what.refusals as refused:
        return _told(request, problems=[str(refused)])


def _looked(request: HttpRequest, what: Importable, content: str, *, partial: bool) -> HttpResponse:
    def run(*, dry_run: bool) -> Report[Any]:
        actor, roles = administrator(request).user_id, permissions.roles_of(request)
        form = row_files.form_of(content)
        return what.run(content, form, actor=actor, actor_roles=roles, dry_run=dry_run, partial=partial)

    step_up = StepUp(request) if what.asks_who else None
    problems: list[str] = []
    if GO in request.POST and (step_up is None or step_up.is_passed()):
        try:
            return _done(request, what, _applied(run, request.POST.get("seen", ""), content))
        except _Changed:
            problems = [_("Since you looked, the file or what it changes has become another. Look at it again.")]
    report = run(dry_run=True)
    if CHANGES in request.GET:
        return _file(what, report)
    refused = step_up.status if step_up and step_up.form else 422
    context = {"report": report, "seen": _seen(content, report), "identity": step_up.form if step_up else None}
    context["may_go"] = (partial or not report.faults) and bool(report.created + report.changed)
    return _told(request, problems=problems, status=refused if GO in request.POST else 200, **context)


def _applied(run: Callable[..., Report[Any]], seen: str, content: str) -> Report[Any]:
    """Raises _Changed, and what `run` raises; then nothing is."""
    with transaction.atomic():
        report = run(dry_run=False)
        if not report.is_applied or seen != _seen(content, report):
            raise _Changed
    return report


def _seen(content: str, report: Report[Any]) -> str:
    digest = hashlib.sha256(content.encode()).hexdigest()
    return f"{digest}.{report.created}.{report.changed}.{report.unchanged}.{len(report.faults)}"


def _done(request: HttpRequest, what: Importable, report: Report[Any]) -> HttpResponse:
    said = _("Imported: {new} new, {changed} changed, {refused} left out.").format(
        new=grouped(report.created), changed=grouped(report.changed), refused=grouped(len(report.faults))
    )
    messages.success(request, said)
    return HttpResponse(status=204, headers={"HX-Redirect": reverse(f"portal:{what.name}")})


def _told(request: HttpRequest, *, problems: Sequence[str], status: int = 422, **context: Any) -> HttpResponse:
    if report := context.get("report"):
        lines = list(islice(_lines(report), SHOWN + 1))
        context |= {"lines": lines[:SHOWN], "is_cut": len(lines) > SHOWN, "faults": report.faults[:SHOWN]}
        context["more_faults"] = max(0, len(report.faults) - SHOWN)
    return render(request, "portal/imports/changes.html", context | {"problems": problems}, status=status)


def _lines(report: Report[Any]) -> Iterator[Line]:
    """One for each value that changes."""
    for change in report.changes:
        what = _("new") if change.is_new else _("changed")
        if not change.fields:
            yield change.line, change.name, what, "", "", ""
        for value in change.fields:
            yield change.line, change.name, what, value.name, shown(value.before), shown(value.after)


def _file(what: Importable, report: Report[Any]) -> HttpResponse:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_("Line"), _("Row"), _("What"), _("Column"), _("Before"), _("After")])
    writer.writerows([str(number), *map(harmless, texts)] for number, *texts in _lines(report))
    writer.writerows([fault.line, "", _("left out"), "", "", harmless(fault.sentence)] for fault in report.faults)
    headers = {"Content-Disposition": f'attachment; filename="{what.name}-changes.csv"'}
    return HttpResponse(out.getvalue(), content_type=MEDIA[Form.CSV], headers=headers)


USERS: Final = Importable(
    name="users",
    title=gettext_lazy("Import users"),
    about=gettext_lazy(
        "Adds and changes people and their roles. Who is not in the file stays as they are; a column that is not there"
        " says nothing, and an empty cell empties."
    ),
    list_title=gettext_lazy("Users"),
    columns=people_files.COLUMNS,
    rows=people_files.rows,
    run=people_import.run,
    refusals=(ImportRefused, InvalidPerson),
    asks_who=True,
)
users = page(USERS)
