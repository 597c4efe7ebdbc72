"""Settings > Users & Devices: Delete Retired Devices, Manage Duplicate Devices (portal specification, section 9.3)."""

from collections.abc import Callable
from typing import Any, Final

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from devices.models import Device
from devices.services import duplicates as twins
from devices.services import retired_records
from devices.services.field_values import model_of
from devices.views.wording import status_badge, system_of
from epmm import options, schedules, settings_store
from epmm.models import ScheduledRun
from epmm.numbers import grouped
from epmm.portal import settings_tree
from epmm.portal.lists import COUNT_CAP, Column, Link, Listing, counted
from epmm.portal.settings_tree import Node
from users import permissions
from users.forms import TypedForm
from users.models import AdminRole
from users.views.dialogs import GO, StepUp, administrator, done
from users.views.settings import form_of, may_change, saved

Begin = Callable[[str], bool]


@require_http_methods(["GET", "HEAD", "POST"])
def retired(request: HttpRequest) -> HttpResponse:
    days = settings_store.read(options.RETIRED_DAYS)
    return _page(
        request,
        settings_tree.RETIRED,
        "portal/settings/retired_devices.html",
        retired_records.KIND,
        {
            "number": counted(retired_records.due(days)[: COUNT_CAP + 1].count()),
            "days": days,
            "may_run": permissions.may(request, AdminRole.DEVICE_DELETE_RETIRED),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def duplicates(request: HttpRequest) -> HttpResponse:
    may_run = permissions.may(request, AdminRole.DEVICE_MANAGE)
    may_look = permissions.may(request, AdminRole.DEVICE_VIEW)
    context = {"may_run": may_run, "may_look": may_look}
    template = "portal/settings/duplicate_devices.html"
    return _page(request, settings_tree.DUPLICATES, template, twins.KIND, context)


def _page(request: HttpRequest, node: Node, template: str, kind: str, more: dict[str, Any]) -> HttpResponse:
    form = form_of(request, node)
    if saved(request, form):
        return redirect(node.address)
    run = ScheduledRun.objects.filter(name=kind).exclude(result={}).first()
    context = settings_tree.context(node) | {"form": form, "can_change": may_change(request), "run": run}
    context["is_running"] = run is not None and schedules.is_running(run)
    return render(request, template, context | more, status=422 if form.errors else 200)


# --- Run now ----------------------------------------------------------------------------------------------------------


@sensitive_post_parameters("password")
@require_POST
def delete_retired(request: HttpRequest) -> HttpResponse:
    days = settings_store.read(options.RETIRED_DAYS)
    return _run_now(
        request,
        found=retired_records.due(days),
        heading=_("Delete retired devices"),
        explanation=_("Records of devices that were retired or wiped more than {n} days ago go, with their inventory. Audit entries stay. This cannot be undone.").format(n=grouped(days)),  # noqa: E501 - one sentence
        button=_("Delete"),
        begin=lambda actor: retired_records.begin(actor=actor),
    )  # fmt: skip


@sensitive_post_parameters("password")
@require_POST
def tidy_duplicates(request: HttpRequest) -> HttpResponse:
    return _run_now(
        request,
        found=twins.to_tidy(twins.found()),
        heading=_("Duplicate devices"),
        explanation=_("Each record becomes at once what is set for its platform. A device that still uses one that is retired is told to leave."),  # noqa: E501 - one sentence
        button=_("Run now"),
        begin=lambda actor: twins.begin(actor=actor),
    )  # fmt: skip


def _run_now(
    request: HttpRequest, *, found: QuerySet[Device], heading: str, explanation: str, button: str, begin: Begin
) -> HttpResponse:
    """How many, typed out by who is at the keyboard; the worker does it."""
    number, is_sent, step_up = found.count(), GO in request.POST, StepUp(request)
    label = _("Type the number of devices, {n}, to continue.").format(n=grouped(number))
    typed = TypedForm(request.POST if is_sent else None, label=label, wanted=number)
    is_typed = is_sent and typed.is_valid()
    if is_typed and number and step_up.is_passed():
        if begin(administrator(request).user_id):
            return done(request, _("It has begun. This page says how far it has come."))
        return done(request, _("It is running already."))
    context = {
        "heading": heading,
        "explanation": explanation,
        "button": button,
        "number": number,
        "form": typed,
        "identity": step_up.form,
        "address": request.path,
    }
    status = step_up.status if is_sent else 200
    return render(request, "portal/settings/run_now.html", context, status=status)


# --- The candidates ---------------------------------------------------------------------------------------------------


def _kept(device: Device) -> Link | None:
    uuid = getattr(device, twins.KEPT)
    return Link(_("Show"), reverse("portal:devices-details", args=[uuid])) if uuid else None


CANDIDATES: Final = Listing[Device](
    name="settings-duplicates-now",
    title=gettext_lazy("Duplicate devices"),
    columns=(
        Column(
            key="device",
            label=gettext_lazy("Record"),
            value=lambda device: Link(str(device), reverse("portal:devices-details", args=[device.uuid])),
        ),
        Column(key="user", label=gettext_lazy("User"), value=lambda device: device.user.display_name),
        Column(key="status", label=gettext_lazy("Status"), value=status_badge),
        Column(key="serial", label=gettext_lazy("Serial number"), value=lambda device: device.serial_number),
        Column(key="model", label=gettext_lazy("Model"), value=model_of, is_shown=False),
        Column(key="platform", label=gettext_lazy("Platform name"), value=system_of),
        Column(
            key="registered",
            label=gettext_lazy("Registration date"),
            value=lambda device: device.registered_at,
            order="registered_at",
        ),
        Column(key="kept", label=gettext_lazy("Record that stays"), value=_kept),
    ),
    sorted_by="-registered",
    empty=gettext_lazy("No device has more than one record."),
)


@require_safe
def candidates(request: HttpRequest) -> HttpResponseBase:
    view = CANDIDATES.view(request, twins.with_kept(twins.found()).select_related("user").defer("details"))
    if request.GET.get("format") == "csv":
        return view.csv()
    back = Link(str(settings_tree.DUPLICATES.label), settings_tree.DUPLICATES.address)
    context = view.context() | {"back": back, "looked_at": twins.looked_at()}
    return render(request, "portal/settings/duplicates_now.html", context)
