from datetime import datetime
from typing import Any, Final

from django.db.models import Case, IntegerField, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from devices.models import Device
from devices.views.wording import TONES, icon_of, system_of
from enrollment.services import authorities, own_address, own_invitations, pin_requests, policy
from enrollment.views import self_texts
from epmm.rate_limit import limited
from users import self_permissions
from users.models import User
from users.views.self_account import page

MOST: Final = 30
GONE: Final = (Device.Status.RETIRED, Device.Status.WIPED, Device.Status.EXPIRED)
SHOWN: Final = (
    "uuid", "user", "status", "device_name", "serial_number", "model_name", "product_name", "family", "platform",
    "os_version", "last_seen_at",
)  # fmt: skip


@limited
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """How to enroll, for whoever comes here with a browser; their devices, for who has signed in."""
    user = self_permissions.person_of(request)
    if user is not None:
        return redirect("self:texts") if self_texts.is_due(request, user) else _own(request, user)
    context = {
        "organization": authorities.organization(),
        "enabled": bool(policy.offered()),
        "example_address": own_address.example(),
    }
    return render(request, "enrollment/home.html", context)


def _own(request: HttpRequest, user: User) -> HttpResponse:
    gone_last = Case(When(status__in=GONE, then=1), default=0, output_field=IntegerField())
    devices = list(user.devices.annotate(gone=gone_last).order_by("gone", "-pk").only(*SHOWN)[: MOST + 1])
    cards = [_card(device) for device in devices[:MOST]]
    roles = self_permissions.roles_of(request)
    return page(
        request,
        "home",
        cards=[card for card in cards if not card["is_gone"]],
        former=[card for card in cards if card["is_gone"]],
        is_cut=len(devices) > MOST,
        most=MOST,
        pin=pin_requests.offered(user, roles, timezone.now()),
        may_invite=own_invitations.is_offered(user, roles),
    )


def _card(device: Device) -> dict[str, Any]:
    seen: datetime | None = device.last_seen_at
    return {
        "device": device,
        "name": device.device_name or device.model_name or device.product_name,
        "icon": icon_of(device),
        "tone": TONES.get(Device.Status(device.status), ""),
        "system": system_of(device),
        "seen": seen,
        "is_gone": device.status in GONE,
    }
