"""Logs > MDM command queue: what devices have not answered, and broadcasts with their progress."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from devices.models import Broadcast, Command
from devices.services import broadcast, cancelling
from devices.services.broadcast import Progress
from devices.services.find import enrollments_of
from epmm.client_address import client_address
from epmm.numbers import grouped
from epmm.portal.filters import Filter, Filters, narrowed
from epmm.portal.keyset import Page
from epmm.portal.lists import MOST_TICKED, Action, Badge, Column, Link, Listing, View, ticked
from users import permissions
from users.models import AdminRole
from users.views import chosen
from users.views.dialogs import GO, administrator, done, refused

NAMED: Final = 3
STATES: Final = {
    Command.State.QUEUED: Badge(gettext_lazy("Queued")),
    Command.State.OFFERED: Badge(gettext_lazy("Offered"), "waiting"),
    Command.State.NOT_NOW: Badge(gettext_lazy("Not now"), "waiting"),
}
# What a row of the list shows: neither payloads nor the secrets of an enrollment are read for it.
SHOWN: Final = (
    "request_type", "state", "created_at", "offered_at", "not_now_count", "broadcast_id",
    "channel__user_short_name",
    "channel__enrollment__device__device_name",
    "channel__enrollment__device__serial_number",
    "channel__enrollment__device__uuid",
)  # fmt: skip


def _name(command: Command) -> str:
    device = command.channel.enrollment.device
    person = f" ({command.channel.user_short_name})" if command.channel.user_short_name else ""
    return f"{device}{person}" if device else ""


def _device(command: Command) -> Link | str:
    device = command.channel.enrollment.device
    return Link(_name(command), reverse("portal:devices-details", args=[device.uuid])) if device else ""


def _state(command: Command) -> Badge:
    return STATES[Command.State(command.state)]


def _find(commands: QuerySet[Command], text: str) -> QuerySet[Command]:
    return commands.filter(channel__enrollment__in=enrollments_of(text))


QUEUE_FILTERS: Final = (
    Filter(key="command", label=gettext_lazy("Command"), lookup="request_type"),
    Filter(
        key="state",
        label=gettext_lazy("State"),
        lookup="state",
        values=[(str(state.value), badge.text) for state, badge in STATES.items()],
    ),
)
QUEUE: Final = Listing[Command](
    name="logs-queue",
    title=gettext_lazy("MDM command queue"),
    columns=(
        Column(key="number", label=gettext_lazy("Number"), value=lambda command: str(command.pk), order="id"),
        Column(key="created", label=gettext_lazy("Queued at"), value=lambda command: command.created_at),
        Column(key="command", label=gettext_lazy("Command"), value=lambda command: command.request_type),
        Column(key="device", label=gettext_lazy("Device"), value=_device),
        Column(key="state", label=gettext_lazy("State"), value=_state),
        Column(key="offered", label=gettext_lazy("Offered at"), value=lambda command: command.offered_at),
        Column(
            key="not_now",
            label=gettext_lazy("Times not now"),
            value=lambda command: command.not_now_count,
            is_shown=False,
        ),
        Column(
            key="broadcast",
            label=gettext_lazy("Part of a broadcast"),
            value=lambda command: command.broadcast_id is not None,
            is_shown=False,
        ),
    ),
    sorted_by="-number",
    find=_find,
    search_hint=gettext_lazy("Serial number or user ID"),
    actions=(
        Action(label=gettext_lazy("Cancel commands"), name="logs-queue-cancel", icon="circle-off", is_dangerous=True),
    ),
    empty=gettext_lazy("Every command has been answered."),
)


@require_safe
def commands(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    filters = Filters(request, QUEUE_FILTERS)
    view = QUEUE.view(request, filters.apply(_open()))
    if request.GET.get("format") == "csv":
        return view.csv()
    actions = [action for action in QUEUE.actions if permissions.may_open(request, action.name)]
    return render(request, "portal/logs/list.html", view.context() | filters.context() | {"actions": actions})


@require_POST
def cancel(request: HttpRequest) -> HttpResponse:
    """A dialog; from there to the answer the commands stay the same."""
    rows = list(_chosen(request).order_by("-pk")[: MOST_TICKED + 1])
    if not rows:
        return refused(request, _("None of these is open any more."))
    if len(rows) > MOST_TICKED:
        sentence = _("This is done for at most {n} commands at once. Narrow the selection, or call back a broadcast.")
        return refused(request, sentence.format(n=grouped(MOST_TICKED)))
    if GO not in request.POST:
        return render(request, "portal/deed.html", _asked(rows) | {"address": request.path})
    numbers = Command.objects.filter(pk__in=[row.pk for row in rows])
    actor, address = administrator(request).user_id, client_address(request)
    cancelled = cancelling.cancel_each(numbers, actor=actor, address=address)
    sentence = _("Commands that are cancelled: {n}.").format(n=grouped(cancelled))
    if stayed := len(rows) - cancelled:
        sentence += " " + _("Finished meanwhile, or part of a configuration: {n}.").format(n=grouped(stayed))
    return done(request, sentence)


def _open() -> QuerySet[Command]:
    return Command.objects.open().select_related("channel__enrollment__device").only(*SHOWN)


def _chosen(request: HttpRequest) -> QuerySet[Command]:
    def narrow(commands: QuerySet[Command], asked: Mapping[str, str]) -> QuerySet[Command]:
        return narrowed(commands, QUEUE_FILTERS, asked)

    return chosen.asked_for(request, _open(), find=QUEUE.find, narrow=narrow)


def _asked(rows: Sequence[Command]) -> dict[str, Any]:
    return {
        "heading": _("Cancel commands"),
        "explanation": _(
            "What no device has is taken out of the queue. What a device has already it may still carry out, and then "
            "its answer counts. What belongs to a configuration stays: take the assignment away instead."
        ),
        "names": [f"{row.request_type} ({_name(row)})" for row in rows[:NAMED]],
        "more": max(0, len(rows) - NAMED),
        "chosen": ",".join(str(row.pk) for row in rows),
    }


# --- Broadcasts -------------------------------------------------------------------------------------------------------


def _progress(row: Broadcast) -> Progress:
    known: Progress | None = getattr(row, "counted", None)
    return known or broadcast.progress(row)


def _broadcast_state(row: Broadcast) -> Badge:
    if row.cancelled_at is not None:
        return Badge(gettext_lazy("Called back"))
    if row.queued_at is None:
        return Badge(gettext_lazy("Being queued"), "waiting")
    if _progress(row).open:
        return Badge(gettext_lazy("Under way"), "waiting")
    if row.refused > row.queued == 0:
        return Badge(gettext_lazy("Refused"), "bad")
    return Badge(gettext_lazy("Done"), "good")


BROADCASTS: Final = Listing[Broadcast](
    name="logs-broadcasts",
    title=gettext_lazy("Broadcasts"),
    columns=(
        Column(key="command", label=gettext_lazy("Command"), value=lambda row: row.request_type),
        Column(key="number", label=gettext_lazy("Number"), value=lambda row: str(row.pk), order="id", is_shown=False),
        Column(key="created", label=gettext_lazy("Begun at"), value=lambda row: row.created_at),
        Column(key="actor", label=gettext_lazy("Actor"), value=lambda row: row.actor),
        Column(key="state", label=gettext_lazy("State"), value=_broadcast_state),
        Column(key="queued", label=gettext_lazy("Devices"), value=lambda row: row.queued),
        Column(key="open", label=gettext_lazy("Open"), value=lambda row: _progress(row).open),
        Column(key="acknowledged", label=gettext_lazy("Acknowledged"), value=lambda row: _progress(row).acknowledged),
        Column(key="failed", label=gettext_lazy("Failed"), value=lambda row: _progress(row).failed),
        Column(key="cancelled", label=gettext_lazy("Called back"), value=lambda row: _progress(row).cancelled),
        Column(key="refused", label=gettext_lazy("Skipped"), value=lambda row: row.refused),
    ),
    sorted_by="-number",
    actions=(Action(label=gettext_lazy("Call back"), name="logs-broadcasts-call-back", icon="undo-2"),),
    empty=gettext_lazy("No command has been sent to many devices yet."),
)


class _Counted(View[Broadcast]):
    def page(self) -> Page[Broadcast]:
        page = super().page()
        counted = broadcast.progress_of(page.rows)
        for row in page.rows:
            row.counted = counted[row.pk]  # type: ignore[attr-defined] # for the columns
        return page


@require_safe
def broadcasts(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    view = _Counted(BROADCASTS, request, Broadcast.objects.watched())
    if request.GET.get("format") == "csv":
        return view.csv()
    may_call_back = permissions.may(request, AdminRole.DEVICE_MANAGE)
    context: dict[str, Any] = {"actions": BROADCASTS.actions if may_call_back else ()}
    return render(request, "portal/list.html", view.context() | context)


@require_POST
def call_back(request: HttpRequest) -> HttpResponse:
    """The dialog first; with `sure`, what it asked for."""
    rows = list(_ticked(request))
    if not rows or request.POST.get("sure") != "1":
        names = ", ".join(row.request_type for row in rows[:NAMED])
        return render(request, "portal/logs/call_back.html", {"rows": rows, "names": names, "named": NAMED})
    called_back = sum(broadcast.cancel(row, actor=str(request.user), address=client_address(request)) for row in rows)
    messages.success(request, _("Open commands that are called back: {n}.").format(n=grouped(called_back)))
    return HttpResponse(headers={"HX-Redirect": reverse("portal:logs-broadcasts")})


def _ticked(request: HttpRequest) -> QuerySet[Broadcast]:
    """Those that can still be called back, of the page that was ticked."""
    keys = [int(key) for key in ticked(request) if key.isascii() and key.isdecimal()]
    return Broadcast.objects.watched().filter(pk__in=keys, cancelled_at=None).order_by("pk")
