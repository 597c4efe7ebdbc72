"""Logs > Actions: what was ordered for more devices than a request has time for, and what came of it for each."""

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from devices.models import ActionResult, ActionRun
from devices.services import action_runs
from devices.services.actions import BY_KEY
from epmm import masking
from epmm.client_address import client_address
from epmm.portal.filters import Filter, Filters
from epmm.portal.lists import Badge, Cell, Column, Link, Listing
from users import permissions
from users.models import AdminRole
from users.views.dialogs import administrator

DONE: Final = ActionResult.State.DONE
TONES: Final = {ActionResult.State.WAITING: "waiting", DONE: "good", ActionResult.State.SKIPPED: "plain"}


def _state(run: ActionRun) -> Badge:
    if run.refusal:
        return Badge(gettext_lazy("Ended"), "bad", note=run.refusal)
    if run.stopped_at is not None:
        return Badge(gettext_lazy("Stopped"))
    return Badge(gettext_lazy("Under way"), "waiting") if run.is_running else Badge(gettext_lazy("Done"), "good")


def _action(run: ActionRun) -> Cell:
    return Link(str(BY_KEY[run.action].label), reverse("portal:logs-actions-one", args=[run.pk]))


RUNS: Final = Listing[ActionRun](
    name="logs-actions",
    title=gettext_lazy("Actions"),
    columns=(
        Column(key="action", label=gettext_lazy("Action"), value=_action),
        Column(key="number", label=gettext_lazy("Number"), value=lambda run: run.pk, order="id", is_shown=False),
        Column(key="created", label=gettext_lazy("Begun at"), value=lambda run: run.created_at),
        Column(key="actor", label=gettext_lazy("Actor"), value=lambda run: run.actor),
        Column(key="state", label=gettext_lazy("State"), value=_state),
        Column(key="devices", label=gettext_lazy("Devices"), value=lambda run: run.number),
        Column(key="done", label=gettext_lazy("Done"), value=lambda run: run.done),
        Column(key="skipped", label=gettext_lazy("Skipped"), value=lambda run: run.skipped),
    ),
    sorted_by="-number",
    empty=gettext_lazy("Nothing has been done to more than 1,000 devices at once yet."),
)


@require_safe
def runs(request: HttpRequest) -> HttpResponseBase:
    view = RUNS.view(request, ActionRun.objects.defer("values"))
    if request.GET.get("format") == "csv":
        return view.csv()
    return render(request, "portal/list.html", view.context())


# --- One of them ------------------------------------------------------------------------------------------------------


def _device(result: ActionResult) -> Cell:
    if result.device is None:
        return _("Record {number}, deleted").format(number=result.device_id)
    device = masking.seen(result.device)
    name = device.device_name or device.serial_number or device.model_name or str(device.uuid)
    return Link(name, reverse("portal:devices-details", args=[result.device.uuid]))


def _result(result: ActionResult) -> Cell:
    """A reason may name the account of a person."""
    said = "" if masking.hidden() else result.said
    return Badge(result.get_state_display(), TONES[ActionResult.State(result.state)], note=said)


FILTERS: Final = (
    Filter(
        key="result",
        label=gettext_lazy("Result"),
        lookup="state",
        values=[(str(state.value), state.label) for state in ActionResult.State],
    ),
)
RESULTS: Final = Listing[ActionResult](
    name="logs-actions-one",
    title=gettext_lazy("Action"),
    columns=(
        Column(key="number", label=gettext_lazy("Number"), value=lambda result: result.pk, order="id", is_shown=False),
        Column(key="device", label=gettext_lazy("Device"), value=_device),
        Column(
            key="result",
            label=gettext_lazy("Result"),
            value=_result,
        ),
    ),
    sorted_by="number",
)


@require_safe
def one(request: HttpRequest, number: int) -> HttpResponseBase:
    run = get_object_or_404(ActionRun.objects.defer("values"), pk=number)
    told: dict[str, Any] = {
        "run": run,
        "title": BY_KEY[run.action].label,
        "state": _state(run),
        "over": run.done + run.skipped,
        "may_stop": run.is_running and permissions.may(request, AdminRole.DEVICE_MANAGE),
    }
    if "HX-Request" in request.headers:
        response = render(request, "portal/logs/action_progress.html", told)
        if not run.is_running:
            response.headers["HX-Refresh"] = "true"  # the list below it is old
        return response
    filters = Filters(request, FILTERS)
    shown = ActionResult.objects.filter(run=run).select_related("device__user").defer("device__details")
    view = RESULTS.view(request, filters.apply(shown))
    if request.GET.get("format") == "csv":
        return view.csv()
    return render(request, "portal/logs/action.html", view.context() | filters.context() | told)


@require_POST
def stop(request: HttpRequest, number: int) -> HttpResponse:
    run = get_object_or_404(ActionRun.objects.defer("values"), pk=number)
    if action_runs.stop(run, actor=administrator(request).user_id, address=client_address(request)):
        messages.success(request, _("It is stopped. What has been done stays done."))
    return redirect("portal:logs-actions-one", number=number)
