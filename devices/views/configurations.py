"""Policies & Configs > Configurations: profiles, whom they are assigned to, and how far devices have come."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from devices.configuration_forms import AssignForm, UploadForm
from devices.models import Configuration, ConfigurationDelivery, Device, Label
from devices.services import configuration_status
from devices.services import configurations as service
from devices.services.configurations import ConfigurationRefused
from devices.services.find import DeviceNotFound
from devices.views.configuration_lists import around, state_of
from epmm.portal.lists import Badge, Cell, Column, Link, Listing
from users import permissions
from users.forms import TypedForm
from users.models import AdminRole
from users.views.dialogs import GO, administrator, done

KINDS_SHOWN: Final = 3
MOST_ROWS: Final = 100
MOST_ASSIGNED: Final = 20  # each has a form; all of them are in a list of their own
COUNTED_IN_LIST: Final = 1_000  # deliveries, in each state: a page may have fifty configurations of a whole fleet
LONGEST_KEY: Final = 18  # digits


def _kinds(configuration: Configuration) -> str:
    """What it holds, by Apple's names."""
    current = configuration.current
    kinds = list(dict.fromkeys(payload.kind for payload in current.outline)) if current else []
    more = f" + {len(kinds) - KINDS_SHOWN}" if len(kinds) > KINDS_SHOWN else ""
    return ", ".join(kinds[:KINDS_SHOWN]) + more


def _assigned(configuration: Configuration) -> Cell:
    if configuration.removed_at is not None:
        return Badge(_("Being removed"), "waiting")
    number: int = getattr(configuration, "assigned")  # noqa: B009 - see `_count`
    return number


def _count(configurations: Sequence[Configuration]) -> None:
    """For `_assigned` and `_states`."""
    assigned = configuration_status.assigned_counts(configurations)
    states = configuration_status.told_counts(configurations, cap=COUNTED_IN_LIST, tells_sent=False)
    for configuration in configurations:
        told: Any = configuration
        told.assigned, told.states = assigned.get(configuration.pk, 0), states.get(configuration.pk, {})


def _states(configuration: Configuration) -> Cell:
    states: Mapping[ConfigurationDelivery.State, str] = getattr(configuration, "states")  # noqa: B009 - see `_count`
    labels = {ConfigurationDelivery.State.PENDING: _("Pending or sent")}
    return ", ".join(f"{labels.get(state, state.label)}: {number}" for state, number in states.items())


def _find(found: QuerySet[Configuration], text: str) -> QuerySet[Configuration]:
    return found.filter(identifier__icontains=text) | found.filter(name__icontains=text)


LISTING: Final = Listing[Configuration](
    name="configurations",
    title=gettext_lazy("Configurations"),
    columns=(
        Column(
            key="name",
            label=gettext_lazy("Name"),
            value=lambda row: Link(row.name, reverse("portal:configurations-one", args=[row.pk])),
        ),
        Column(
            key="identifier",
            label=gettext_lazy("Identifier"),
            value=lambda row: row.identifier,
            order="identifier",
        ),
        Column(key="kinds", label=gettext_lazy("Configuration type"), value=_kinds),
        Column(
            key="version",
            label=gettext_lazy("Version"),
            value=lambda row: row.current.number if row.current else None,
        ),
        Column(key="scope", label=gettext_lazy("For"), value=lambda row: row.get_scope_display()),
        Column(key="assigned", label=gettext_lazy("Labels and devices"), value=_assigned),
        Column(key="states", label=gettext_lazy("States"), value=_states),
    ),
    sorted_by="identifier",
    find=_find,
    beside=_count,
    search_hint=gettext_lazy("Name, identifier"),
    empty=gettext_lazy("There are no configurations yet. Upload a configuration profile."),
)


@require_safe
def configurations(request: HttpRequest) -> HttpResponseBase:
    view = LISTING.view(request, configuration_status.all_configurations())
    if request.GET.get("format") == "csv":
        return view.csv()
    context = view.context() | {"may_manage": permissions.may(request, AdminRole.CONFIGURATION_MANAGE)}
    return render(request, "portal/configurations/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """A new one, or a new version of the one that has its identifier."""
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_valid():
        try:
            new = service.upload(form.content(), name=form.cleaned_data["name"], actor=administrator(request).user_id)
        except ConfigurationRefused as refused:
            form.add_error("file", str(refused))
        else:
            for warning in new.warnings:
                messages.warning(request, warning)
            facts = {"name": new.configuration.name, "number": new.version.number}
            said = _("{name}: version {number} is uploaded.") if new.is_new else _("{name}: this is version {number}.")
            messages.success(request, said.format(**facts))
            return redirect("portal:configurations-one", new.configuration.pk)
    return render(request, "portal/configurations/upload.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
def one(request: HttpRequest, number: int) -> HttpResponse:
    return _page(request, _found(number), AssignForm())


def _found(number: int) -> Configuration:
    return get_object_or_404(Configuration.objects.select_related("current").defer("current__content"), pk=number)


def _page(request: HttpRequest, configuration: Configuration, form: AssignForm, *, status: int = 200) -> HttpResponse:
    current = configuration.current
    verdicts = (
        service.verdicts(configuration.identifier, current.outline, configuration.scope) if current is not None else {}
    )
    states = configuration_status.told_counts([configuration]).get(configuration.pk, {})
    assigned = list(configuration_status.assignments_of(configuration).defer("device__details")[: MOST_ASSIGNED + 1])
    devices = reverse("portal:configurations-devices", args=[configuration.pk])
    context: dict[str, Any] = {
        **around(configuration, "configurations-one"),
        "kinds": [payload.kind for payload in current.outline] if current else [],
        "states": [(state_of(state), number, f"{devices}?state={state}") for state, number in states.items()],
        "assignments": assigned[:MOST_ASSIGNED],
        "is_cut": len(assigned) > MOST_ASSIGNED,
        "most": MOST_ASSIGNED,
        "versions": configuration.versions.defer("content").order_by("-number")[:MOST_ROWS],
        "objections": [
            (_(place), sentence)
            for place, verdict in verdicts.items()
            for sentence in ([verdict.refusal] if verdict.refusal is not None else verdict.warnings)
        ],
        "form": form,
        "may_manage": permissions.may(request, AdminRole.CONFIGURATION_MANAGE),
    }
    return render(request, "portal/configurations/one.html", context, status=status)


@require_POST
def assign(request: HttpRequest, number: int) -> HttpResponse:
    configuration, form = _found(number), AssignForm(request.POST)
    if not form.is_valid():
        return _page(request, configuration, form, status=422)
    try:
        target = form.target()
        is_new = service.assign(configuration, target, actor=administrator(request).user_id)
    except (ConfigurationRefused, DeviceNotFound) as refused:
        form.add_error(None, str(refused))
        return _page(request, configuration, form, status=422)
    said = _("Assigned to {target}.") if is_new else _("It is assigned to {target} already.")
    messages.success(request, said.format(target=target))
    return redirect("portal:configurations-one", number)


@require_POST
def unassign(request: HttpRequest, number: int) -> HttpResponse:
    configuration = _found(number)
    key = request.POST.get("assignment", "")[:LONGEST_KEY]
    assignments = configuration.assignments.select_related("device", "label")
    row = assignments.filter(pk=int(key) if key.isascii() and key.isdecimal() else 0).first()
    target: Device | Label | None = (row.device or row.label) if row else None
    if target is not None and service.unassign(configuration, target, actor=administrator(request).user_id):
        messages.success(request, _("No longer assigned to {target}.").format(target=target))
    else:
        messages.info(request, _("It was not assigned any more."))
    return redirect("portal:configurations-one", number)


@require_POST
def remove(request: HttpRequest, number: int) -> HttpResponse:
    """Typed out: it goes from every device."""
    configuration = _found(number)
    label = _("Type the identifier {identifier} to continue.").format(identifier=configuration.identifier)
    form = TypedForm(request.POST if GO in request.POST else None, label=label, wanted=configuration.identifier)
    if form.is_bound and form.is_valid():
        service.remove(configuration, actor=administrator(request).user_id)
        return done(request, _("It goes from the devices, and then from here."))
    context = {"configuration": configuration, "form": form}
    return render(request, "portal/configurations/remove.html", context, status=422 if form.errors else 200)
