"""Logs > Actions: what was ordered for more devices than a request has time for, and what came of it for each."""

from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from devices.models import ActionResult, ActionRun
from devices.services import action_runs
from devices.services.actions import BY_KEY
from epmm import masking
from epmm.client_address import client_address
from epmm.portal.lists import Cell, Column, Link, Listing
from users import permissions
from users.models import AdminRole
from users.views import run_pages
from users.views.dialogs import administrator


def _action(run: ActionRun) -> Cell:
    return Link(str(BY_KEY[run.action].label), reverse("portal:logs-actions-one", args=[run.pk]))


RUNS: Final = Listing[ActionRun](
    name="logs-actions",
    title=gettext_lazy("Actions"),
    columns=run_pages.columns(_action, gettext_lazy("Devices")),
    sorted_by="-number",
    empty=gettext_lazy("Nothing has been done to more than 1,000 devices at once yet."),
)


@require_safe
def runs(request: HttpRequest) -> HttpResponseBase:
    view = RUNS.view(request, ActionRun.objects.defer("values"))
    if request.GET.get("format") == "csv":
        return view.csv()
    return render(request, "portal/logs/actions.html", view.context() | run_pages.kinds(request))


# --- One of them ------------------------------------------------------------------------------------------------------


def _device(result: ActionResult) -> Cell:
    if result.device is None:
        return _("Record {number}, deleted").format(number=result.device_id)
    device = masking.seen(result.device)
    name = device.device_name or device.serial_number or device.model_name or str(device.uuid)
    return Link(name, reverse("portal:devices-details", args=[result.device.uuid]))


RESULTS: Final = Listing[ActionResult](
    name="logs-actions-one",
    title=gettext_lazy("Action"),
    columns=(
        Column(key="number", label=gettext_lazy("Number"), value=lambda row: str(row.pk), order="id", is_shown=False),
        Column(key="device", label=gettext_lazy("Device"), value=_device),
        Column(key="result", label=gettext_lazy("Result"), value=run_pages.result),
    ),
    sorted_by="number",
)


@require_safe
def one(request: HttpRequest, number: int) -> HttpResponseBase:
    run = get_object_or_404(ActionRun.objects.defer("values"), pk=number)
    told = {
        "title": BY_KEY[run.action].label,
        "progress": ngettext(
            "{over} of {n} device: done for {done}, {skipped} skipped.",
            "{over} of {n} devices: done for {done}, {skipped} skipped.",
            run.number,
        ),
        "page": "portal:logs-actions",
        "may_stop": run.is_running and permissions.may(request, AdminRole.DEVICE_MANAGE),
    }
    shown = ActionResult.objects.filter(run=run).select_related("device__user").defer("device__details")
    return run_pages.one(request, run, told, RESULTS, shown)


@require_POST
def stop(request: HttpRequest, number: int) -> HttpResponse:
    run = get_object_or_404(ActionRun.objects.defer("values"), pk=number)
    if action_runs.stop(run, actor=administrator(request).user_id, address=client_address(request)):
        messages.success(request, _("It is stopped. What has been done stays done."))
    return redirect("portal:logs-actions-one", number=number)
