"""The Dashboard: what the fleet is, how enrollments go, and what will need somebody soon."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from devices.models import Device
from devices.services import identity_expiry
from devices.views.wording import validity
from enrollment.reasons import BY_CODE
from enrollment.services import charts, first_run, health, overview, simulated
from enrollment.services.first_run import Step
from enrollment.services.overview import Expiry, Fleet
from enrollment.views.wording import CERTIFICATES
from epmm import audit_checks, masking, webhooks
from epmm.numbers import grouped
from epmm.portal.lists import COUNT_CAP, Badge
from users import permissions
from users.models import AdminRole
from users.views.dialogs import administrator


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    now, fleet = timezone.now(), overview.fleet()
    may_open = request.may_open  # type: ignore[attr-defined] # users/middleware.py
    status = dict(Device.Status.choices)
    kinds = dict(Device.EnrollmentType.choices)
    unknown = _("Unknown")
    versions = charts.shares(fleet.version, {}, unknown=unknown, most=overview.MOST_VERSIONS)
    steps = [] if _has_begun(fleet) else list(first_run.steps())
    context = {
        "steps": [(step, _address(step) if step.page and may_open(step.page) else "") for step in steps],
        "may_simulate": bool(steps) and _may_simulate(request),
        "can_simulate": bool(steps) and first_run.is_ready(),
        "steps_done": sum(step.is_done for step in steps),
        "active": fleet.status[Device.Status.ACTIVE],
        "pending": sum(fleet.status[each] for each in (Device.Status.VERIFICATION_PENDING, *Device.PROVISIONAL)),
        "retired": fleet.status[Device.Status.RETIRED],
        "groups": (
            (_("Devices by status"), charts.shares(fleet.status, status, unknown=unknown)),
            (_("Devices by platform"), charts.shares(fleet.platform, {}, unknown=unknown)),
            (_("Devices by enrollment kind"), charts.shares(fleet.kind, kinds, unknown=unknown)),
            (_("Devices by OS version"), versions),
        ),
        "chart": charts.over_time(overview.days(now)),
        "failures": [_failure(code, count) for code, count in overview.failures(now)],
        "certificates": [_certificate(each) for each in overview.expiries()],
        "may_see_log": may_open("logs-enrollment"),
        "may_see_certificates": may_open("services-certificates"),
    }
    return render(request, "portal/dashboard.html", context)


@require_POST
def simulate(request: HttpRequest) -> HttpResponse:
    """**Enroll a simulated device**, where this is no production."""
    permissions.require(request, AdminRole.USER_MANAGE)  # it comes with a person
    if not simulated.is_offered():
        raise Http404
    simulated.begin(actor=administrator(request).user_id)
    said = _("A simulated iPhone enrolls now. In a moment it is in the list; where it stops, the log says why.")
    messages.success(request, said)
    return redirect("portal:devices")


@require_safe
def state(request: HttpRequest) -> HttpResponse:
    """The part that looks for news by itself."""
    return render(request, "portal/dashboard_health.html", {"health": health.look()})


@require_safe
def alert(request: HttpRequest) -> HttpResponse:
    """Nothing, unless the audit log or a webhook needs somebody, certificates of devices end, or a person is gone."""
    may_open = request.may_open  # type: ignore[attr-defined] # as above
    devices, has_more = overview.left_behind()
    context = {
        "audit_log": audit_checks.standing(),
        "may_see_audit": may_open("settings-audit-logs"),
        "identities": _identities(timezone.now()),
        "may_see_identities": may_open("settings-ios-mdm-identities"),
        "left_behind": [(masking.seen(device), masking.seen(device.user)) for device in devices],
        "has_more": has_more,
        "may_see_people": may_open("users"),
        "webhooks": list(webhooks.given_up().values_list("pk", "name")),
        "may_see_webhooks": may_open("services-webhooks-edit"),
    }
    return render(request, "portal/dashboard_alert.html", context)


def _may_simulate(request: HttpRequest) -> bool:
    may_all = all(permissions.may(request, role) for role in (AdminRole.DEVICE_ENROLL, AdminRole.USER_MANAGE))
    return may_all and simulated.is_offered()


def _has_begun(fleet: Fleet) -> bool:
    return any(fleet.status[each] for each in (*Device.ENROLLED, Device.Status.RETIRED, Device.Status.WIPED))


def _address(step: Step) -> str:
    return reverse(f"portal:{step.page}", args=step.of)


def _failure(code: str, count: int) -> dict[str, Any]:
    asked = {"code": code, "state": "failed", "from": f"{timezone.localdate() - timedelta(days=1):%Y-%m-%d}"}
    reason = BY_CODE.get(code)
    return {
        "code": code,
        "count": count,
        "sentence": reason.operator if reason else "",
        "address": f"{reverse('portal:logs-enrollment')}?{urlencode(asked)}",
    }


def _identities(now: datetime) -> list[Badge]:
    """How many devices are shut out since their certificate expired, or will be soon; nothing when all is well."""
    expired, soon = identity_expiry.counted(now, cap=COUNT_CAP)
    more = "+" if expired + soon == COUNT_CAP else ""
    badges = ((expired, _("Expired"), "bad"), (soon, _("Expires soon"), "waiting"))
    return [Badge(text, tone, note=f"{grouped(number)}{more}") for number, text, tone in badges if number]


def _certificate(expiry: Expiry) -> dict[str, Any]:
    name, badge = CERTIFICATES.get(expiry.certificate, expiry.certificate), validity(timedelta(days=expiry.days))
    return {"name": name, "days": int(expiry.days // 1), "badge": badge}
