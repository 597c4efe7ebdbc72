"""Settings > Enrollment domains (portal specification, section 9.5)."""

from datetime import datetime
from typing import Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from devices.models import Device
from enrollment.services import domain_check, domains, policy
from enrollment.services.findings import Verdict
from enrollment.services.outlook import FAMILY_NAMES
from epmm import options, settings_store
from epmm.client_address import client_address
from epmm.models import AuditEntry
from epmm.portal import settings_tree
from epmm.portal.lists import Badge
from epmm.rate_limit import limited
from epmm.settings_store import InvalidSetting
from users.views.settings import may_change

PAGE: Final = "portal:settings-domains"
LONGEST: Final = 253
KINDS: Final = dict(Device.EnrollmentType.choices)
BADGES: Final = {
    Verdict.OK: Badge(gettext_lazy("OK"), "good"),
    Verdict.WARNING: Badge(gettext_lazy("Look at this"), "waiting"),
    Verdict.STOPS: Badge(gettext_lazy("Stops enrollment"), "bad"),
}


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, *, typed: str = "", error: str = "") -> HttpResponse:
    known = options.enrollment_domains()
    tests = domain_check.last_tests(known)
    context = settings_tree.context(settings_tree.DOMAINS) | {
        "domains": [(domain, domains.is_own(domain), *_last_test(tests.get(domain))) for domain in known],
        "offered": [KINDS[kind] for kind in policy.offered()],
        "families": [FAMILY_NAMES.get(name, name) for name in settings_store.read(options.ALLOWED_FAMILIES)],
        "can_change": may_change(request),
        "typed": typed,
        "error": error,
    }
    return render(request, "portal/settings/domains.html", context, status=422 if error else 200)


def _last_test(entry: AuditEntry | None) -> tuple[Badge, datetime | None]:
    if entry is None:
        return Badge(_("Never tested")), None
    is_good = entry.status == AuditEntry.Status.SUCCESS
    return BADGES[Verdict.OK] if is_good else Badge(_("Failed"), "bad"), entry.at


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    typed = request.POST.get("domain", "").strip()[: LONGEST + 1]
    try:
        added = domains.add(typed, actor=str(request.user), address=client_address(request))
    except (InvalidSetting, ValueError) as error:
        accepted = str(error) if isinstance(error, InvalidSetting) else _("one domain at a time")
        return _page(
            request, typed=typed, error=_("This value is not possible. Accepted: %(values)s.") % {"values": accepted}
        )
    messages.success(request, _("%(domain)s is an enrollment domain now. Test it next.") % {"domain": added})
    return redirect(PAGE)


@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: HttpRequest) -> HttpResponse:
    domain = _known(request)
    if request.method == "POST":
        if domains.remove(domain, actor=str(request.user), address=client_address(request)):
            messages.success(request, _("%(domain)s is no enrollment domain any more.") % {"domain": domain})
        return redirect(PAGE)
    context = {
        "domain": domain,
        "accounts": domains.accounts_in(domain),
        "is_last": len(options.enrollment_domains()) == 1,
    }
    return render(request, "portal/settings/domain_remove.html", context)


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """**Show file**, **Show server rules**."""
    domain = _known(request)
    wants_rules = request.GET.get("what") == "rules"
    context = {"domain": domain, "path": domains.PATH, "wants_rules": wants_rules}
    context |= {"rules": domains.rules(domain)} if wants_rules else {"files": domains.files()}
    return render(request, "portal/settings/domain_files.html", context)


@limited
@require_POST
def test(request: HttpRequest) -> HttpResponse:
    """**Test now**.  Only what stands in the list is asked."""
    domain = _known(request)
    findings = domain_check.test(domain, actor=str(request.user), address=client_address(request))
    shown = [(finding, BADGES[finding.verdict]) for finding in findings]
    return render(request, "portal/settings/domain_test.html", {"domain": domain, "findings": shown})


def _known(request: HttpRequest) -> str:
    domain = request.POST.get("domain", "") or request.GET.get("domain", "")
    if domain not in options.enrollment_domains():
        raise Http404
    return domain
