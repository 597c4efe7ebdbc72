"""What the pages of Logs > Actions have in common, whomever an action goes to; see epmm/runs.py."""

from collections.abc import Callable
from typing import Any, Final

from django.db.models import QuerySet, Value
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from epmm import masking
from epmm.numbers import grouped
from epmm.portal.filters import Filter, Filters
from epmm.portal.lists import Badge, Cell, Column, Link, Listing
from epmm.run_models import Result, ResultState, Run
from users import permissions

TONES: Final = {ResultState.WAITING: "waiting", ResultState.DONE: "good", ResultState.SKIPPED: "plain"}
KINDS: Final = (("logs-actions", gettext_lazy("Devices")), ("logs-actions-people", gettext_lazy("Users")))
NOT_DONE: Final = gettext_lazy("Not done")  # what still waited when its run ended waits for nothing any more


def columns(action: Callable[[Any], Cell], whom: str | Promise) -> tuple[Column[Any], ...]:
    """Of a list of runs."""
    return (
        Column(key="action", label=gettext_lazy("Action"), value=action),
        Column(key="number", label=gettext_lazy("Number"), value=lambda run: str(run.pk), order="id", is_shown=False),
        Column(key="created", label=gettext_lazy("Begun at"), value=lambda run: run.created_at),
        Column(key="actor", label=gettext_lazy("Actor"), value=lambda run: run.actor),
        Column(key="state", label=gettext_lazy("State"), value=state),
        Column(key="devices", label=whom, value=lambda run: run.number),
        Column(key="done", label=gettext_lazy("Done"), value=lambda run: run.done),
        Column(key="skipped", label=gettext_lazy("Skipped"), value=lambda run: run.skipped),
    )


def kinds(request: HttpRequest) -> dict[str, Any]:
    """The lists of runs that this administrator may open, where there are several."""
    here = request.resolver_match.url_name if request.resolver_match else ""
    open_ones = [(label, name) for name, label in KINDS if permissions.may_open(request, name)]
    shown = [(label, reverse(f"portal:{name}"), name == here) for label, name in open_ones]
    return {"kinds": shown if len(shown) > 1 else []}


def state(run: Run) -> Badge:
    if run.refusal:
        return Badge(gettext_lazy("Ended"), "bad", note=run.refusal)
    if run.stopped_at is not None:
        return Badge(gettext_lazy("Stopped"))
    return Badge(gettext_lazy("Under way"), "waiting") if run.is_running else Badge(gettext_lazy("Done"), "good")


def result(row: Result) -> Cell:
    """A reason may name the account of a person."""
    said = "" if masking.hidden() else row.said
    if row.state == ResultState.WAITING and not getattr(row, "is_running", True):
        return Badge(NOT_DONE)
    return Badge(ResultState(row.state).label, TONES[ResultState(row.state)], note=said)


def _results(run: Run) -> Filter:
    labels = {state: state.label for state in ResultState}
    if not run.is_running:
        labels[ResultState.WAITING] = NOT_DONE
    values = [(str(state.value), label) for state, label in labels.items()]
    return Filter(key="result", label=gettext_lazy("Result"), lookup="state", values=values)


def one(
    request: HttpRequest, run: Run, told: dict[str, Any], listing: Listing[Any], shown: QuerySet[Any]
) -> HttpResponseBase:
    """A run: how far it has come, and below it what came of each.  `told`: title, progress, page, may_stop."""
    over = run.done + run.skipped
    numbers = {"over": over, "n": run.number, "done": run.done, "skipped": run.skipped}
    progress = told["progress"].format(**{name: grouped(number) for name, number in numbers.items()})
    told = told | {"run": run, "state": state(run), "over": over, "progress": progress}
    told |= {name: f"{told['page']}-{name.removesuffix('_page')}" for name in ("one_page", "stop_page", "file_page")}
    if "HX-Request" in request.headers:
        response = render(request, "portal/logs/action_progress.html", told)
        if not run.is_running:
            response.headers["HX-Refresh"] = "true"  # the list below it is old
        return response
    filters = Filters(request, (_results(run),))
    view = listing.view(request, filters.apply(shown.annotate(is_running=Value(run.is_running))))
    if request.GET.get("format") == "csv":
        return view.csv()
    back = Link(_("Actions"), reverse(told["page"]))
    return render(request, "portal/logs/action.html", view.context() | filters.context() | told | {"back": back})
