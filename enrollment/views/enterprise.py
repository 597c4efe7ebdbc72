"""Settings > General > Enterprise: the name, and what hangs on the public URL (portal specification, section 9.1)."""

from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from enrollment.services import public_address
from epmm.portal import settings_tree
from users.views.settings import form_of, may_change, saved

PLACES: Final[dict[str, str | Promise]] = {
    "portal": _("Admin Portal"),
    "discovery": _("Discovery document of this server"),
    "domain": _("Discovery document of an enrollment domain, which leads here"),
    "enrollment": _("Sign-in and enrollment profile"),
    "identity": _("Identity certificates (SCEP)"),
    "devices": _("Server URL in enrollment profiles"),
    "certificate": _("Name in the HTTPS certificate"),
}


@require_http_methods(["GET", "HEAD", "POST"])
def enterprise(request: HttpRequest) -> HttpResponse:
    form = form_of(request, settings_tree.ENTERPRISE)
    if saved(request, form):
        return redirect(settings_tree.ENTERPRISE.address)
    calling = public_address.calling()
    context = settings_tree.context(settings_tree.ENTERPRISE) | {
        "form": form,
        "can_change": may_change(request),
        "external_host": settings.PUBLIC_URL,
        "places": [(PLACES[name], address) for name, address in public_address.places()],
        "calling": calling,
        "elsewhere": sum(each.devices for each in calling if not each.is_here),
        "here": sum(each.devices for each in calling if each.is_here),
    }
    return render(request, "portal/settings/enterprise.html", context, status=422 if form.errors else 200)
