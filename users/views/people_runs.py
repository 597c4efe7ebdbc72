"""Logs > Actions > Users: what was ordered for more people than a request has time for, and what came of it."""

import csv
import io
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import get_language, gettext_lazy, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from epmm.client_address import client_address
from epmm.portal.lists import Cell, Column, Link, Listing, plain
from epmm.runs import NumberChanged
from users import permissions
from users.models import AdminRole, PeopleResult, PeopleRun
from users.services import people_runs
from users.services.people_actions import BY_KEY, PersonAction
from users.views import run_pages
from users.views.chosen import NUMBER, Chosen
from users.views.dialogs import administrator, refused

HEADINGS: Final = ("user_id", "name", "email", "secret")


def begin(request: HttpRequest, whom: Chosen, action: PersonAction, values: Mapping[str, Any]) -> HttpResponse:
    return answered(request, lambda: order(request, whom, action, values))


def answered(request: HttpRequest, ordered: Callable[[], PeopleRun]) -> HttpResponse:
    try:
        run = ordered()
    except NumberChanged:
        return refused(request, _("By now other people match. Open the dialog again."))
    return HttpResponse(status=204, headers={"HX-Redirect": reverse("portal:logs-actions-people-one", args=[run.pk])})


def order(request: HttpRequest, whom: Chosen, action: PersonAction, values: Mapping[str, Any]) -> PeopleRun:
    """The worker does it, for as many as the dialog spoke of.  Raises NumberChanged."""
    given = request.POST.get(NUMBER, "")
    return people_runs.begin(
        action,
        values,
        chosen=whom.everyone,
        confirmed=int(given) if given.isascii() and given.isdecimal() else 0,
        asked=whom.asked,
        actor=administrator(request).user_id,
        address=client_address(request),
        language=get_language() or "",
    )


def _action(run: PeopleRun) -> Cell:
    return Link(str(BY_KEY[run.action].label), reverse("portal:logs-actions-people-one", args=[run.pk]))


RUNS: Final = Listing[PeopleRun](
    name="logs-actions-people",
    title=gettext_lazy("Actions"),
    columns=run_pages.columns(_action, gettext_lazy("Users")),
    sorted_by="-number",
    empty=gettext_lazy("Nothing has been done to more than 1,000 people at once yet."),
)


@require_safe
def runs(request: HttpRequest) -> HttpResponseBase:
    view = RUNS.view(request, PeopleRun.objects.defer("values"))
    if request.GET.get("format") == "csv":
        return view.csv()
    return render(request, "portal/logs/actions.html", view.context() | run_pages.kinds(request))


def _person(result: PeopleResult) -> Cell:
    if result.user is None:
        return _("Person {number}, deleted").format(number=result.user_id)
    return Link(result.user.display_name, reverse("portal:users-edit", args=[result.user_id]))


RESULTS: Final = Listing[PeopleResult](
    name="logs-actions-people-one",
    title=gettext_lazy("Action"),
    columns=(
        Column(key="number", label=gettext_lazy("Number"), value=lambda row: str(row.pk), order="id", is_shown=False),
        Column(key="user", label=gettext_lazy("Name"), value=_person),
        Column(
            key="user_id",
            label=gettext_lazy("User ID"),
            value=lambda result: result.user.user_id if result.user else None,
        ),
        Column(key="result", label=gettext_lazy("Result"), value=run_pages.result),
    ),
    sorted_by="number",
)


@require_safe
def one(request: HttpRequest, number: int) -> HttpResponseBase:
    run = get_object_or_404(PeopleRun.objects.defer("values"), pk=number)
    told = {
        "title": BY_KEY[run.action].label,
        "progress": ngettext(
            "{over} of {n} person: done for {done}, {skipped} skipped.",
            "{over} of {n} people: done for {done}, {skipped} skipped.",
            run.number,
        ),
        "page": "portal:logs-actions-people",
        "may_stop": run.is_running and permissions.may(request, AdminRole.USER_MANAGE),
        "has_secrets": people_runs.has_secrets(run, administrator(request)),
    }
    shown = PeopleResult.objects.filter(run=run).select_related("user").defer("secret")
    return run_pages.one(request, run, told, RESULTS, shown)


@require_POST
def stop(request: HttpRequest, number: int) -> HttpResponse:
    run = get_object_or_404(PeopleRun.objects.defer("values"), pk=number)
    if people_runs.stop(run, actor=administrator(request).user_id, address=client_address(request)):
        messages.success(request, _("It is stopped. What has been done stays done."))
    return redirect("portal:logs-actions-people-one", number=number)


@never_cache
@require_POST
def fetch(request: HttpRequest, number: int) -> HttpResponse:
    """By POST, for it can be done once: no address that is looked at beforehand uses it up."""
    run = get_object_or_404(PeopleRun.objects.defer("values"), pk=number)
    found = people_runs.fetch(run, administrator(request))
    if found is None:
        messages.error(request, _("This is gone: it is fetched once, by whoever ordered it, within a day."))
        return redirect("portal:logs-actions-people-one", number=number)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADINGS)
    writer.writerows([*map(plain, (user.user_id, user.display_name, user.email)), secret] for user, secret in found)
    headers = {"Content-Disposition": f'attachment; filename="{run.action}.csv"'}
    return HttpResponse(
        f"\N{BYTE ORDER MARK}{out.getvalue()}".encode(), content_type="text/csv; charset=utf-8", headers=headers
    )
