"""The door of the user portal: which session counts behind it, and who may open what."""

import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _

from epmm import audit, options, settings_store
from epmm.client_address import client_address
from users import self_permissions, self_sessions, sessions

NAMESPACE: Final = "self"
PAGES: Final = frozenset({"/", "/go"})
BEGINNINGS: Final = ("/my/", "/help/")
TOUCH_SECONDS: Final = 60
TOUCHED: Final = "touched"


def is_behind(path: str) -> bool:
    return path in PAGES or path.startswith(BEGINNINGS)


class SelfGuard:
    """Behind it `request.session` is the person's.  The Admin Portal's is neither read nor written there."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_behind(request.path_info):
            return self._get_response(request)
        administrators = request.session
        request.session = theirs = self_sessions.opened(request)
        try:
            with audit.coming_from(client_address(request)):
                response = self._get_response(request)
            self_sessions.keep(theirs, request, response)
        finally:
            request.session = administrators
        response.headers["Cache-Control"] = "no-store"
        # without any, browsers send no origin either, by which Django knows a form of ours
        response.headers["Referrer-Policy"] = "same-origin"
        return response

    def process_view(
        self, request: HttpRequest, _view: Callable[..., HttpResponseBase], _args: Any, _keywords: Any
    ) -> HttpResponseBase | None:
        match = request.resolver_match
        if match is None or match.app_name != NAMESPACE:
            return None
        needed = self_permissions.NEEDED[match.url_name or ""]
        if request.user.is_authenticated and not self_permissions.may(request, self_permissions.PERSON):
            logout(request)
        if request.user.is_authenticated:
            sessions.keep_roles(request.session, self_permissions.roles_of(request))
            _touch(request)
        elif needed != self_permissions.ANYONE:
            return _to_sign_in(request)
        if needed != self_permissions.ANYONE and not self_permissions.may(request, needed):
            return _forbidden(request)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        match = request.resolver_match
        if isinstance(error, PermissionDenied) and match is not None and match.app_name == NAMESPACE:
            return _forbidden(request)
        return None


def _forbidden(request: HttpRequest) -> HttpResponse:
    sentence = _("Your account may not do this. Ask your administrator.")
    return render(request, "self/refused.html", {"sentence": sentence}, status=403)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """Back to the page afterwards, but never to something done: a form is sent again by its sender alone."""
    wanted = request.path if request.method == "GET" else ""
    return redirect(reverse("self:sign-in") + (f"?{urlencode({'next': wanted})}" if wanted else ""))


def _touch(request: HttpRequest) -> None:
    """Idle time begins anew; written once a minute, for a row a click would be a row a click."""
    now = int(time.time())
    if now - request.session.get(TOUCHED, 0) >= TOUCH_SECONDS:
        request.session[TOUCHED] = now
        request.session.set_expiry(settings_store.read(options.IDLE_MINUTES) * 60)
