"""What stands around each tab of a device, and in its panel beside the list: the summary, the actions, the tabs."""

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from devices.models import Device, Enrollment
from devices.services.actions import ACTIONS, subjects
from devices.services.field_values import model_of
from devices.services.wording import worded
from devices.views.device_list import menu_item
from devices.views.wording import icon_of, owner_of, status_badge, system_of
from epmm import masking
from users import permissions

TABS: Final[tuple[tuple[str, str | Promise], ...]] = (
    ("devices-details", gettext_lazy("Device Details")),
    ("devices-configurations", gettext_lazy("Configurations")),
    ("devices-declarations", gettext_lazy("Declarations")),
    ("devices-apps", gettext_lazy("Apps")),
    ("devices-certificates", gettext_lazy("Certificates")),
    ("devices-labels", gettext_lazy("Labels")),
    ("devices-comments", gettext_lazy("Comments")),
    ("devices-attributes", gettext_lazy("Custom Attributes")),
    ("devices-commands", gettext_lazy("Commands")),
    ("devices-enrollment", gettext_lazy("Enrollment")),
    ("devices-logs", gettext_lazy("Logs")),
)

IN_SIGHT: Final = ("check-in", "lock")  # beside the menu


@dataclass(frozen=True, slots=True)
class ActionButton:
    label: str | Promise
    icon: str
    address: str
    is_dangerous: bool
    why_not: str | Promise
    is_in_sight: bool


def device_or_404(uuid: UUID) -> Device:
    device = Device.objects.select_related("user").prefetch_related("labels").filter(uuid=uuid).first()
    if device is None:
        raise Http404
    return masking.seen(device)


def newest_enrollment(device: Device) -> Enrollment | None:
    """Whether it holds the tokens, and not what they are."""
    held = {
        "has_unlock_token": Q(unlock_token__isnull=False),
        "has_bootstrap_token": Q(bootstrap_token__isnull=False),
    }
    return device.enrollments.annotate(**held).defer("unlock_token", "bootstrap_token").order_by("-pk").first()


def tab(request: HttpRequest, device: Device, template: str, **context: Any) -> HttpResponse:
    here = request.resolver_match.url_name if request.resolver_match else ""
    return render(request, template, around(request, device) | {"here_in_device": here} | context)


def around(request: HttpRequest, device: Device) -> dict[str, Any]:
    return {
        "device": device,
        "icon": icon_of(device),
        "model": model_of(device),
        "system": system_of(device),
        "owner": owner_of(device),
        "status": status_badge(device),
        "buttons": _buttons(request, device),
        "may_see_labels": permissions.may_open(request, "devices-labels"),
        "device_tabs": [
            (name, label, reverse(f"portal:{name}", args=[device.uuid]))
            for name, label in TABS
            if permissions.may_open(request, name)
        ],
    }


def _buttons(request: HttpRequest, device: Device) -> list[ActionButton]:
    (subject,) = subjects([device])
    buttons = []
    for action in ACTIONS:
        item = menu_item(request, action)
        why_not = item.why_not or worded(action.why_not(subject) or "")
        address = reverse(f"portal:{item.name}")
        is_in_sight = action.key in IN_SIGHT
        buttons.append(ActionButton(action.label, action.icon, address, action.is_dangerous, why_not, is_in_sight))
    return buttons
