"""Settings > System Settings: a tree at the left, a form at the right (portal specification, section 9)."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from epmm.client_address import client_address
from epmm.portal import settings_tree
from epmm.portal.settings_form import SettingsForm
from epmm.portal.settings_tree import Node
from users import permissions
from users.models import AdminRole, User


@require_safe
def settings(_request: HttpRequest) -> HttpResponse:
    return redirect(next(settings_tree.nodes()).address)


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, slug: str) -> HttpResponse:
    node = settings_tree.find(slug)
    if node is None:
        raise Http404
    form = form_of(request, node)
    if saved(request, form):
        return redirect(node.address)
    context = settings_tree.context(node) | {"form": form, "can_change": may_change(request)}
    return render(request, "portal/settings/page.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def gdpr_profile(request: HttpRequest) -> HttpResponse:
    form = form_of(request, settings_tree.GDPR)
    if saved(request, form):
        return redirect(settings_tree.GDPR.address)
    context = settings_tree.context(settings_tree.GDPR) | {"form": form, "can_change": may_change(request)}
    context["hidden_from"] = User.objects.filter(is_admin=True, hides_personal_data=True).order_by("user_id")
    context["may_assign"] = permissions.may(request, AdminRole.ADMIN_MANAGE)
    return render(request, "portal/settings/gdpr_profile.html", context, status=422 if form.errors else 200)


def may_change(request: HttpRequest) -> bool:
    return permissions.may(request, AdminRole.SETTINGS_MANAGE)


def form_of(request: HttpRequest, node: Node) -> SettingsForm:
    if request.method == "POST":
        permissions.require(request, AdminRole.SETTINGS_MANAGE)
    return SettingsForm(node, request.POST if request.method == "POST" else None, is_read_only=not may_change(request))


def saved(request: HttpRequest, form: SettingsForm) -> bool:
    """False when there was nothing to save, or something is wrong in it."""
    if not form.is_bound or not form.is_valid() or not isinstance(request.user, User):
        return False
    if form.save(actor=request.user.user_id, address=client_address(request)):
        messages.success(request, _("Saved."))
    else:
        messages.info(request, _("Nothing was changed."))
    return True
