"""The tabs of one device (portal specification, section 5.4)."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from devices.models import Command, CommandRow, Device, Identity
from devices.services import (
    cancelling,
    configuration_status,
    declaration_overview,
    history,
    label_members,
    raw_answer,
)
from devices.services.queue import CommandRefused
from devices.views import device_fields
from devices.views.app_states import badge
from devices.views.device_fields import Group
from devices.views.device_page import around, device_or_404, newest_enrollment, tab
from devices.views.wording import description_of
from epmm.client_address import client_address
from epmm.models import AuditEntry
from epmm.portal.lists import Badge
from users import permissions
from users.models import AdminRole, User
from users.views import audit_log

LAST: Final = 50  # commands, audit entries
MOST_ROWS: Final = 200  # applications, certificates
MOST_CONFIGURATIONS: Final = 100
MOST_DECLARED: Final = 100  # of all users together
STATES: Final = {
    CommandRow.State.QUEUED: (gettext_lazy("Queued"), "waiting"),
    CommandRow.State.OFFERED: (gettext_lazy("Sent"), "waiting"),
    CommandRow.State.NOT_NOW: (gettext_lazy("Not now"), "waiting"),
    CommandRow.State.ACKNOWLEDGED: (gettext_lazy("Acknowledged"), "good"),
    CommandRow.State.ERROR: (gettext_lazy("Error"), "bad"),
    CommandRow.State.FORMAT_ERROR: (gettext_lazy("Format error"), "bad"),
    CommandRow.State.CANCELLED: (gettext_lazy("Cancelled"), "plain"),
}
DELIVERED: Final = {"APPLIED": "good", "FAILED": "bad", "UPDATE_FAILED": "bad", "PENDING": "waiting", "SENT": "waiting"}
DECLARED: Final = {
    "applied": Badge(gettext_lazy("Applied"), "good"),
    "failed": Badge(gettext_lazy("Failed"), "bad"),
    "pending": Badge(gettext_lazy("Pending"), "waiting"),
    "not activated": Badge(gettext_lazy("Not activated")),
    declaration_overview.NOT_YET: Badge(gettext_lazy("Not reported yet")),
    "left out": Badge(gettext_lazy("Left out")),
}
DECLARATION_KINDS: Final = {
    "activation": gettext_lazy("Activation"),
    "asset": gettext_lazy("Asset"),
    "configuration": gettext_lazy("Configuration"),
    "management": gettext_lazy("Management"),
}


@require_safe
def details(request: HttpRequest, uuid: UUID) -> HttpResponse:
    device = device_or_404(uuid)
    return tab(request, device, "portal/device/details.html", groups=_groups(device))


@require_safe
def panel(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """The same beside the list."""
    device = device_or_404(uuid)
    return render(request, "portal/device/panel.html", around(request, device) | {"groups": _groups(device)})


def _groups(device: Device) -> list[Group]:
    enrollment = newest_enrollment(device)
    identities = Identity.objects.filter(enrollment=enrollment) if enrollment else Identity.objects.none()
    # the one in use, else the newest
    by_use = sorted(identities.defer("der").order_by("-pk")[:20], key=lambda each: each.state != Identity.State.CURRENT)
    return list(device_fields.groups(device, enrollment, next(iter(by_use), None)))


@require_safe
def configurations(request: HttpRequest, uuid: UUID) -> HttpResponse:
    device = device_or_404(uuid)
    rows = [
        (row, Badge(row.shown_state.label, DELIVERED.get(row.shown_state, "plain")), configuration_status.error_of(row))
        for row in configuration_status.of_device(device)[: MOST_CONFIGURATIONS + 1]
    ]
    return tab(request, device, "portal/device/configurations.html", **_cut(rows, MOST_CONFIGURATIONS))


@require_safe
def declarations(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Of the device and of each user, as far as a page has room; `user` asks for those of one, the device's by ""."""
    device, user = device_or_404(uuid), request.GET.get("user")
    found, room = declaration_overview.of_device(device), MOST_DECLARED if user is None else MOST_ROWS
    channels = []
    for channel in found if user is None else _of_user(found, user):
        # what failed is not to be what is cut off
        every = sorted(channel["declarations"], key=lambda each: each["state"] != "failed")
        rows = [
            (each, DECLARATION_KINDS.get(each["kind"], each["kind"]), DECLARED[each["state"]]) for each in every[:room]
        ]
        room -= len(rows)
        channels.append((channel, _in_step(channel), rows, len(every) > len(rows)))
    context = {"channels": channels, "is_one": user is not None, "most": MOST_ROWS}
    return tab(request, device, "portal/device/declarations.html", **context)


def _of_user(channels: Iterable[dict[str, Any]], user: str) -> list[dict[str, Any]]:
    found = [channel for channel in channels if channel["user"] == user]
    if not found:
        raise Http404
    return found


def _in_step(channel: Mapping[str, Any]) -> Badge:
    if not channel["switched_on"]:
        return Badge(_("Declarative management is not switched on"))
    if channel["in_step"]:
        return Badge(_("Up to date"), "good")
    return Badge(_("Has not fetched the newest declarations yet"), "waiting")


@require_safe
def apps(request: HttpRequest, uuid: UUID) -> HttpResponse:
    device = device_or_404(uuid)
    managed = {row.identifier: badge(row) for row in device.managed_applications.order_by("identifier")[:MOST_ROWS]}
    installed = list(device.applications.order_by("name", "identifier").defer("details")[: MOST_ROWS + 1])
    waiting = managed.keys() - set(
        device.applications.filter(identifier__in=managed).values_list("identifier", flat=True)
    )
    rows: list[tuple[str, str, str, int | None, Badge | None]] = [
        ("", identifier, "", None, managed[identifier]) for identifier in sorted(waiting)
    ]
    rows += [
        (row.name, row.identifier, row.short_version or row.version, row.bundle_size, managed.get(row.identifier))
        for row in installed
    ]
    return tab(request, device, "portal/device/apps.html", **_cut(rows))


@require_safe
def certificates(request: HttpRequest, uuid: UUID) -> HttpResponse:
    device = device_or_404(uuid)
    rows = device.certificates.order_by("common_name", "pk").defer("der")[: MOST_ROWS + 1]
    return tab(request, device, "portal/device/certificates.html", **_cut(list(rows)))


@require_safe
def labels(request: HttpRequest, uuid: UUID) -> HttpResponse:
    device = device_or_404(uuid)
    rows = [
        (label, description_of(label), label.get_kind_display(), since)
        for label, since in label_members.of_device(device)
    ]
    return tab(request, device, "portal/device/labels.html", rows=rows)


@require_safe
def comments(request: HttpRequest, uuid: UUID) -> HttpResponse:
    device = device_or_404(uuid)
    entry = _entries(device).filter(action="device.commented").first()
    return tab(request, device, "portal/device/comments.html", entry=entry, **_rights(request))


@require_safe
def commands(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """An open page asks for the table alone, and gets none while it stays as it is."""
    asks = "seen" in request.GET
    device = get_object_or_404(Device.objects.only("uuid"), uuid=uuid) if asks else device_or_404(uuid)
    newest = history.newest(device, LAST)
    seen = _seen(newest)
    if asks and seen == request.GET["seen"]:
        return HttpResponse(status=204)
    rows = [(row, command_badge(row), isinstance(row, Command)) for row in newest]
    context = {"rows": rows, "seen": seen, "most": LAST} | _rights(request)
    if asks:
        return render(request, "portal/device/command_rows.html", {"device": device} | context)
    return tab(request, device, "portal/device/commands.html", **context)


@require_safe
def command(request: HttpRequest, uuid: UUID, number: int) -> HttpResponse:
    """What was asked and what was answered, in a dialog."""
    exchange = raw_answer.of(device_or_404(uuid), number)
    if exchange is None:
        raise Http404
    context = {"exchange": exchange, "command": exchange.command, "state": command_badge(exchange.command)}
    return render(request, "portal/device/command.html", context)


@require_POST
def cancel(request: HttpRequest, uuid: UUID, number: int) -> HttpResponse:
    device = device_or_404(uuid)
    if not isinstance(request.user, User):
        raise TypeError
    try:
        cancelling.cancel(device, number, actor=request.user.user_id, address=client_address(request))
        messages.success(request, _("The command is cancelled."))
    except CommandRefused as refused:
        messages.error(request, str(refused))
    return redirect("portal:devices-commands", uuid=uuid)


@require_safe
def logs(request: HttpRequest, uuid: UUID) -> HttpResponse:
    device = device_or_404(uuid)
    rows = [(entry, audit_log.status(entry), audit_log.details(entry)) for entry in _entries(device)[:LAST]]
    return tab(request, device, "portal/device/logs.html", rows=rows, most=LAST)


def command_badge(row: CommandRow) -> Badge:
    text, tone = STATES[CommandRow.State(row.state)]
    return Badge(text, tone)


def _entries(device: Device) -> QuerySet[AuditEntry]:
    return AuditEntry.objects.filter(subject_type="device", subject=str(device.uuid)).order_by("-at", "-pk")


def _seen(rows: Iterable[CommandRow]) -> str:
    told = [f"{row.pk} {row.state} {row.offered_at} {row.done_at}" for row in rows]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _cut(rows: Sequence[Any], most: int = MOST_ROWS) -> dict[str, Any]:
    return {"rows": rows[:most], "is_cut": len(rows) > most, "most": most}


def _rights(request: HttpRequest) -> dict[str, bool]:
    return {"may_manage": permissions.may(request, AdminRole.DEVICE_MANAGE)}
