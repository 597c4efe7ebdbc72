"""Who may open which page of the portal; one place, so that no view can forget to ask."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode

from csp.decorators import csp_update
from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from epmm import audit, masking, options, settings_store
from epmm.client_address import client_address
from users import permissions, sessions
from users.models import AdminRole

PORTAL: Final = "portal"
PREFIX: Final = "/admin"
POLL: Final = "X-Poll"  # a page that looks for news by itself: nobody is at the keyboard
TOUCH_SECONDS: Final = 60
TOUCHED: Final = "touched"
POLICY: Final = {"script-src": ["'self'"], "connect-src": ["'self'"], "manifest-src": ["'self'"]}


class PortalGuard:
    """Holds requests under `/admin` against `users/permissions.py`; devices and their pages pass untouched."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._get_page: Any = csp_update(POLICY)(get_response)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PREFIX):
            return self._get_response(request)
        with audit.coming_from(client_address(request)), audit.noting(_note(request)), masking.hiding(()):
            response: HttpResponseBase = self._get_page(request)
        response.headers.setdefault("Cache-Control", "no-store")
        # without any, browsers send no origin either, by which Django knows a form of ours
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    def process_view(
        self, request: HttpRequest, _view: Callable[..., HttpResponseBase], _args: Any, _keywords: Any
    ) -> HttpResponseBase | None:
        match = request.resolver_match
        if match is None or match.app_name != PORTAL:
            return None
        needed = permissions.NEEDED[match.url_name or ""]
        request.may_open = partial(permissions.may_open, request)  # type: ignore[attr-defined] # for the navigation
        if needed == permissions.ANYONE:
            return None
        if not request.user.is_authenticated:
            return _to_sign_in(request)
        if not permissions.roles_of(request):
            logout(request)
            return _to_sign_in(request)
        sessions.keep_roles(request.session, permissions.roles_of(request))
        _touch(request)
        if why_not := _why_not(request, needed, match.url_name or ""):
            return _forbidden(request, why_not)
        masking.hide(permissions.hidden_fields(request))
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        """A page has asked for a role by itself: `permissions.require`."""
        match = request.resolver_match
        if isinstance(error, PermissionDenied) and match is not None and match.app_name == PORTAL:
            return _forbidden(request, _needs(str(error)))
        return None


def _why_not(request: HttpRequest, needed: str, name: str) -> str:
    if not permissions.may(request, needed):
        return _needs(str(AdminRole(needed).label))
    hides = permissions.is_masked_out(request, name)
    return _("This page shows personal data that your GDPR profile hides.") if hides else ""


def _needs(role: str) -> str:
    return _("This needs the role “{role}”. Whoever manages administrators can give it to you.").format(role=role)


def _forbidden(request: HttpRequest, sentence: str) -> HttpResponse:
    """On a page, or in the dialog that was asked for."""
    name = "portal/people/refused.html" if request.headers.get("HX-Request") else "portal/forbidden.html"
    return render(request, name, {"sentence": sentence}, status=403)


def _note(request: HttpRequest) -> str:
    """Of the dialogs, where the settings ask for one."""
    return request.POST.get("audit_note", "") if settings_store.read(options.AUDIT_NOTES) else ""


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    where = request.headers.get("HX-Current-URL", "") if request.headers.get("HX-Request") else ""
    wanted = request.get_full_path() if not where and request.method == "GET" else ""
    address = reverse("portal:sign-in") + (f"?{urlencode({'next': wanted})}" if wanted else "")
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return redirect(address)


def _touch(request: HttpRequest) -> None:
    """Idle time begins anew; written once a minute, for a row a click would be a row a click."""
    now = int(time.time())
    if POLL in request.headers or now - request.session.get(TOUCHED, 0) < TOUCH_SECONDS:
        return
    request.session[TOUCHED] = now
    request.session.set_expiry(settings_store.read(options.IDLE_MINUTES) * 60)
