"""Of one configuration: how far each device has come with it, and to whom it is assigned."""

from dataclasses import replace
from typing import Any, Final

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from devices.models import Configuration, ConfigurationAssignment, ConfigurationDelivery, Device
from devices.models.delivery import is_shown_as
from devices.services import configuration_status
from devices.services import configurations as service
from devices.services.find import enrollments_of
from epmm.numbers import grouped
from epmm.portal.filters import Filter, Filters
from epmm.portal.lists import SIZES, Action, Badge, Cell, Column, Link, Listing, Long, View, counted
from users import permissions
from users.models import AdminRole
from users.views import chosen
from users.views.dialogs import GO, administrator, done, refused

NAMED: Final = 3
MOST_UNASSIGNED: Final = max(SIZES)  # at once: for each the devices are planned anew
COUNTED_BY_QUEUE: Final = 1_000
SHOWN_ERROR: Final = 200  # characters; a file tells all of them
State = ConfigurationDelivery.State
TONES: Final = {
    State.APPLIED: "good",
    State.FAILED: "bad",
    State.UPDATE_FAILED: "bad",
    State.PENDING: "waiting",
    State.SENT: "waiting",
}
TABS: Final[tuple[tuple[str, str | Promise], ...]] = (
    ("configurations-one", gettext_lazy("Configuration")),
    ("configurations-devices", gettext_lazy("On the devices")),
    ("configurations-assignments", gettext_lazy("Labels and devices")),
)


def around(configuration: Configuration, here: str) -> dict[str, Any]:
    """What stands around each tab of a configuration."""
    tabs = [(label, reverse(f"portal:{name}", args=[configuration.pk]), name == here) for name, label in TABS]
    return {"configuration": configuration, "configuration_tabs": tabs}


def state_of(state: State) -> Badge:
    return Badge(state.label, TONES.get(state, "plain"))


# --- On the devices ---------------------------------------------------------------------------------------------------


def _device(row: ConfigurationDelivery) -> Cell:
    device, person = row.channel.enrollment.device, row.channel.user_short_name or row.channel.user_key
    if device is None:
        return ""
    name = f"{device} ({person})" if person else str(device)
    return Link(name, reverse("portal:devices-configurations", args=[device.uuid]))


def _serial(row: ConfigurationDelivery) -> Cell:
    device = row.channel.enrollment.device
    return device.serial_number if device else ""


def _error(row: ConfigurationDelivery) -> Cell:
    return Long(Truncator(configuration_status.error_of(row)).chars(SHOWN_ERROR))


def _code(row: ConfigurationDelivery) -> Cell:
    return "" if row.error_code is None else f"{row.error_domain} {row.error_code}"


def _find_delivery(found: QuerySet[ConfigurationDelivery], text: str) -> QuerySet[ConfigurationDelivery]:
    return found.filter(channel__enrollment__in=enrollments_of(text))


STATE: Final = Filter(key="state", label=gettext_lazy("State"), lookup="state", values=State.choices, means=is_shown_as)
DELIVERIES: Final = Listing[
    ConfigurationDelivery
](
    name="configurations-devices",
    title=gettext_lazy("On the devices"),
    columns=(
        Column(key="device", label=gettext_lazy("Device"), value=_device),
        Column(key="serial", label=gettext_lazy("Serial number"), value=_serial, is_shown=False),
        Column(
            key="state",
            label=gettext_lazy("State"),
            value=lambda row: state_of(row.shown_state),
            order="state",
            then="id",  # very many are in the same one
        ),
        Column(
            key="wanted",
            label=gettext_lazy("Wanted version"),
            value=lambda row: row.wanted.number if row.wanted else None,
            is_shown=False,
        ),
        Column(
            key="version",
            label=gettext_lazy("Version"),
            value=lambda row: row.installed.number if row.installed else None,
        ),
        Column(key="since", label=gettext_lazy("Since"), value=lambda row: row.changed_at),
        Column(
            key="error",
            label=gettext_lazy("What the device says"),
            value=_error,
            told=configuration_status.error_of,
        ),
        Column(key="code", label=gettext_lazy("Error code"), value=_code, is_shown=False),
    ),
    sorted_by="state",
    find=_find_delivery,
    search_hint=gettext_lazy("Serial number or user ID"),
    empty=gettext_lazy("No device is to have it."),
    sizes=SIZES[:2],
)


class _Deliveries(View[ConfigurationDelivery]):
    def count(self) -> str:
        """Whether a command has gone out is looked up for each delivery: not for ten thousand."""
        if self._asked.get(STATE.key) not in (State.PENDING, State.SENT):
            return super().count()
        return counted(self.queryset.order_by().values("pk")[: COUNTED_BY_QUEUE + 1].count(), COUNTED_BY_QUEUE)


@require_safe
def devices(request: HttpRequest, number: int) -> HttpResponseBase:
    configuration = get_object_or_404(Configuration.objects.only("name"), pk=number)
    filters = Filters(request, (STATE,))
    rows = filters.apply(configuration_status.of_configuration(configuration))
    view = _Deliveries(replace(DELIVERIES, title=configuration.name), request, rows)
    if request.GET.get("format") == "csv":
        return view.csv()
    context = view.context() | filters.context() | _back() | around(configuration, DELIVERIES.name)
    return render(request, "portal/configurations/devices.html", context)


# --- Labels and devices -----------------------------------------------------------------------------------------------


def _target(row: ConfigurationAssignment) -> Cell:
    if row.label is not None:
        return Link(row.label.name, f"{reverse('portal:devices')}?label={row.label.pk}")
    device = row.device
    return Link(str(device), reverse("portal:devices-configurations", args=[device.uuid])) if device else ""


def _find_assignment(found: QuerySet[ConfigurationAssignment], text: str) -> QuerySet[ConfigurationAssignment]:
    devices = [Device.objects.filter(way).values("pk") for way in (Q(serial_number=text), Q(user__user_id=text))]
    return found.filter(Q(label__name__istartswith=text) | Q(device__in=devices[0]) | Q(device__in=devices[1]))


ASSIGNMENTS: Final = Listing[ConfigurationAssignment](
    name="configurations-assignments",
    title=gettext_lazy("Labels and devices"),
    columns=(
        Column(key="target", label=gettext_lazy("Label or device"), value=_target),
        Column(
            key="kind",
            label=gettext_lazy("Type"),
            value=lambda row: _("Device") if row.label_id is None else _("Label"),
        ),
        Column(key="number", label=gettext_lazy("Number"), value=lambda row: str(row.pk), order="id", is_shown=False),
        Column(key="created", label=gettext_lazy("Since"), value=lambda row: row.created_at),
        Column(key="by", label=gettext_lazy("By"), value=lambda row: row.created_by),
    ),
    sorted_by="number",
    find=_find_assignment,
    search_hint=gettext_lazy("Label, serial number, user ID"),
    empty=gettext_lazy("It is assigned to nobody."),
)
UNASSIGN: Final = Action(label=gettext_lazy("Unassign"), name="configurations-unassign-ticked", icon="unlink")


@require_safe
def assignments(request: HttpRequest, number: int) -> HttpResponseBase:
    configuration = get_object_or_404(Configuration.objects.only("name"), pk=number)
    rows = configuration_status.assignments_of(configuration).defer("device__details")
    view = replace(ASSIGNMENTS, title=configuration.name).view(request, rows)
    if request.GET.get("format") == "csv":
        return view.csv()
    may_manage = permissions.may(request, AdminRole.CONFIGURATION_MANAGE)
    context = view.context() | _back() | around(configuration, ASSIGNMENTS.name)
    context["actions"] = [UNASSIGN] if may_manage else []
    return render(request, "portal/configurations/assignments.html", context)


@require_POST
def unassign(request: HttpRequest) -> HttpResponse:
    """A dialog first; the ticked ones, or all that are listed of the configuration that the form names."""
    rows = list(_chosen(request).order_by("pk")[: MOST_UNASSIGNED + 1])
    if not rows:
        return refused(request, _("None of these is assigned any more."))
    if len(rows) > MOST_UNASSIGNED:
        sentence = _("This is done for at most {n} assignments at once. Narrow the selection.")
        return refused(request, sentence.format(n=grouped(MOST_UNASSIGNED)))
    if GO not in request.POST:
        context = {
            "heading": _("Unassign"),
            "explanation": _("Devices that have it by no other assignment lose it."),
            "names": [str(row.label.name if row.label else row.device) for row in rows[:NAMED]],
            "more": max(0, len(rows) - NAMED),
            "chosen": ",".join(str(row.pk) for row in rows),
            "address": request.path,
        }
        return render(request, "portal/deed.html", context)
    actor = administrator(request).user_id
    targets = [(row.configuration, row.label or row.device) for row in rows]
    number = sum(service.unassign(configuration, each, actor=actor) for configuration, each in targets if each)
    return done(request, _("Assignments that are taken back: {n}.").format(n=grouped(number)))


def _chosen(request: HttpRequest) -> QuerySet[ConfigurationAssignment]:
    rows = ConfigurationAssignment.objects.select_related("configuration", "label", "device").defer("device__details")
    if request.POST.get("all") == "1":
        rows = rows.filter(configuration__in=chosen.keys([request.POST.get("configuration", "")]))
    return chosen.asked_for(request, rows, find=ASSIGNMENTS.find, narrow=lambda listed, _asked: listed)


def _back() -> dict[str, Link]:
    return {"back": Link(_("Configurations"), reverse("portal:configurations"))}
