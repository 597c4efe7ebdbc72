"""Settings > Enrollment domains (portal specification, section 9.5)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from devices.models import Device
from enrollment.domain_forms import OffersForm
from enrollment.services import domain_check, domains, outlook, policy
from enrollment.services.domain_check import Way
from enrollment.services.findings import Verdict
from epmm import options
from epmm.client_address import client_address
from epmm.models import AuditEntry
from epmm.portal import settings_tree
from epmm.portal.lists import Badge
from epmm.rate_limit import limited
from epmm.settings_store import InvalidSetting
from users.views.dialogs import GO, done
from users.views.settings import may_change

PAGE: Final = "portal:settings-domains"
LONGEST: Final = 253
KINDS: Final = dict(Device.EnrollmentType.choices)
BADGES: Final = {
    Verdict.OK: Badge(gettext_lazy("OK"), "good"),
    Verdict.WARNING: Badge(gettext_lazy("Look at this"), "waiting"),
    Verdict.STOPS: Badge(gettext_lazy("Stops enrollment"), "bad"),
}
WAYS: Final[Mapping[Way | None, str | Promise]] = {
    Way.OWN: gettext_lazy("This server is the domain."),
    Way.REDIRECT: gettext_lazy("Redirect"),
    Way.FILE: gettext_lazy("Static file"),
    Way.APPLE: gettext_lazy("By Apple only: the domain itself does not answer."),
    None: gettext_lazy("Its web server redirects to this one, or serves a file."),
}


@require_safe
def listed(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, *, typed: str = "", error: str = "") -> HttpResponse:
    known = options.enrollment_domains()
    tests = domain_check.last_tests(known)
    context = settings_tree.context(settings_tree.DOMAINS) | {
        "domains": [_row(domain, tests.get(domain)) for domain in known],
        "enabled": bool(policy.offered()),
        "can_change": may_change(request),
        "typed": typed,
        "error": error,
    }
    return render(request, "portal/settings/domains.html", context, status=422 if error else 200)


def _row(domain: str, entry: AuditEntry | None) -> dict[str, Any]:
    offered = domains.offered(domain)
    badge, tested_at = _last_test(entry)
    return {
        "domain": domain,
        "offers": [(KINDS[kind], outlook.families_text(families)) for kind, families in offered.items()],
        "way": WAYS[domain_check.last_way(domain, entry)],
        "badge": badge,
        "tested_at": tested_at,
    }


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
def offers(request: HttpRequest) -> HttpResponse:
    """A dialog: which kinds of enrollment the domain offers, and to which kinds of device."""
    domain = _known(request)
    form = OffersForm(domain, request.POST if GO in request.POST else None)
    if form.is_valid() and form.save(actor=str(request.user), address=client_address(request)):
        return done(request, _("Saved. It holds for enrollments from now on."))
    context = {"domain": domain, "form": form}
    return render(request, "portal/settings/domain_offers.html", context, status=422 if form.errors else 200)


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
    context |= {"rules": domains.rules(domain)} if wants_rules else {"files": domains.files(domain)}
    return render(request, "portal/settings/domain_files.html", context)


@limited
@require_POST
def test(request: HttpRequest) -> HttpResponse:
    """**Test now**.  Only what stands in the list is asked."""
    domain = _known(request)
    outcome = domain_check.test(domain, actor=str(request.user), address=client_address(request))
    shown = [(finding, BADGES[finding.verdict]) for finding in outcome.findings]
    return render(request, "portal/settings/domain_test.html", {"domain": domain, "findings": shown})


def _known(request: HttpRequest) -> str:
    domain = request.POST.get("domain", "") or request.GET.get("domain", "")
    if domain not in options.enrollment_domains():
        raise Http404
    return domain
