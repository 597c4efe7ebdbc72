"""Settings > General > Audit Logs: notes, how long entries are kept, and how their chain stands."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from epmm import audit_checks
from epmm.portal import settings_tree
from epmm.portal.lists import Badge
from users.views.dialogs import administrator
from users.views.settings import form_of, may_change, saved

PAGE = "portal:settings-audit-logs"


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    form = form_of(request, settings_tree.AUDIT_LOGS)
    if saved(request, form):
        return redirect(PAGE)
    standing = audit_checks.standing()
    context = settings_tree.context(settings_tree.AUDIT_LOGS) | {
        "form": form,
        "can_change": may_change(request),
        "standing": standing,
        "badge": Badge(_("Behind"), "bad") if standing.is_behind else Badge(_("Linked"), "good"),
        "is_being_checked": audit_checks.is_being_checked(),
    }
    return render(request, "portal/settings/audit_logs.html", context, status=422 if form.errors else 200)


@require_POST
def check(request: HttpRequest) -> HttpResponse:
    audit_checks.ask(actor=administrator(request).user_id)
    messages.success(request, _("The whole audit log is being checked. Come back to this page in a moment."))
    return redirect(PAGE)
