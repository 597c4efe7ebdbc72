"""In and out of the portal, and once more in between before what cannot be undone."""

import logging
from typing import Any, Final
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth import REDIRECT_FIELD_NAME as NEXT
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import check_for_language
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from epmm import options, settings_store
from epmm.portal.navigation import THEME_COOKIE, THEMES
from epmm.rate_limit import limited
from users.errors import (
    DirectoryUnavailable,
    InvalidPerson,
    ProviderDown,
    ProviderRefused,
    SignInRefused,
    TooManyAttempts,
)
from users.forms import CodeForm, ConfirmForm, NewPasswordForm, SignInForm
from users.models import User
from users.services import half_way, portal_sign_in, provider_sign_in
from users.services.oidc import providers
from users.services.portal_sign_in import Step

YEAR: Final = 31_536_000

log = logging.getLogger(__name__)


@limited
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    login_text = settings_store.read(options.LOGIN_TEXT)
    asks_consent = bool(login_text) and settings_store.read(options.LOGIN_CONSENT)
    form = SignInForm(request.POST or None, asks_consent=asks_consent)
    status = 200
    if form.is_valid():
        try:
            step = portal_sign_in.begin(request, form.cleaned_data["user_id"], form.cleaned_data["password"])
        except SignInRefused as refused:
            status = _refused(form, refused)
        else:
            return _to(step, request)
    context = {"form": form, "login_text": login_text, "asks_consent": asks_consent}
    return render(request, "portal/sign_in.html", context | _elsewhere(request), status=status)


def _elsewhere(request: HttpRequest, refused: str = "") -> dict[str, Any]:
    """The providers that people may sign in with instead."""
    return {"providers": providers.for_portal(), "next": _next(request), "refused": refused}


@limited
@require_http_methods(["GET", "HEAD", "POST"])
def second_factor(request: HttpRequest) -> HttpResponse:
    user = half_way.person(request, must_change=False)
    if user is None:
        return redirect(_with_next("portal:sign-in", request))
    form = CodeForm(request.POST or None)
    status = 200
    if form.is_valid():
        try:
            portal_sign_in.finish(request, user, form.cleaned_data["code"])
        except SignInRefused as refused:
            status = _refused(form, refused)
        else:
            return _go_on(request)
    return render(request, "portal/second_factor.html", {"form": form}, status=status)


@limited
@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def new_password(request: HttpRequest) -> HttpResponse:
    """For whoever signed in with a password that somebody else has thought of."""
    user = half_way.person(request, must_change=True)
    if user is None:
        return redirect(_with_next("portal:sign-in", request))
    form = NewPasswordForm(request.POST or None)
    if form.is_valid():
        try:
            return _to(portal_sign_in.choose_password(request, user, form.cleaned_data["password"]), request)
        except InvalidPerson as error:
            form.add_error("password", str(error))
    return render(request, "portal/new_password.html", {"form": form, "user_id": user.user_id})


@limited
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: HttpRequest) -> HttpResponse:
    """Who is at the keyboard?  Whoever asks for this page is sent on to `next`."""
    user = _signed_in(request)
    if portal_sign_in.confirms_elsewhere(user):
        return redirect(_with_next("portal:confirm-provider", request))
    form = ConfirmForm(request.POST or None, asks_code=portal_sign_in.has_second_factor(user))
    status = 200
    if form.is_valid():
        try:
            portal_sign_in.confirm(request, user, form.cleaned_data["password"], form.cleaned_data.get("code", ""))
        except SignInRefused as refused:
            status = _refused(form, refused)
        else:
            return _go_on(request)
    return render(request, "portal/confirm.html", {"form": form}, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Where a provider signed somebody in, it ends its session, too."""
    way_out = provider_sign_in.DOOR.way_out(request)
    portal_sign_in.leave(request)
    if not way_out:
        return redirect("portal:sign-in")
    return render(request, "portal/leaving.html", {"address": way_out, "is_out": True})


@limited
@require_http_methods(["GET", "HEAD", "POST"])
def at_provider(request: HttpRequest, number: int) -> HttpResponse:
    """Not by a redirect: after a form of ours no browser would follow it to another site."""
    asks_consent = bool(settings_store.read(options.LOGIN_TEXT)) and settings_store.read(options.LOGIN_CONSENT)
    if request.method != "POST" or (asks_consent and "consent" not in request.POST):
        return redirect(_with_next("portal:sign-in", request))
    try:
        departure = provider_sign_in.DOOR.depart(number, then=_next(request))
    except ProviderRefused as refused:
        return _not_let_in(request, refused)
    response = render(request, "portal/leaving.html", {"address": departure.address, "is_out": False})
    departure.pack(response)
    return response


@limited
@require_safe
def provider_callback(request: HttpRequest, number: int) -> HttpResponse:
    try:
        trip = provider_sign_in.DOOR.recall(request, number)
        step, then = provider_sign_in.arrive(request, trip)
    except SignInRefused as refused:
        return _not_let_in(request, refused)
    address = portal_sign_in.safe(request, then)
    query = f"?{urlencode({NEXT: address})}" if address and step is not Step.DONE else ""
    done = address or reverse("portal:start")
    response = HttpResponseRedirect(done if step is Step.DONE else reverse(f"portal:{step}") + query)
    response.delete_cookie(trip.cookie, samesite="Lax")
    return response


@limited
@require_safe
def confirm_at_provider(request: HttpRequest) -> HttpResponse:
    """Once more, where this administrator comes from."""
    user = _signed_in(request)
    if portal_sign_in.confirms_elsewhere(user) is None:
        return redirect(_with_next("portal:confirm", request))
    try:
        departure = provider_sign_in.depart_to_confirm(user, then=_next(request))
    except ProviderRefused as refused:
        return _not_let_in(request, refused)
    return departure.respond()


def _not_let_in(request: HttpRequest, refused: SignInRefused) -> HttpResponse:
    if isinstance(refused, ProviderRefused):
        log.warning("portal sign-in at a provider: %s %s", type(refused).__name__, refused.why)
    status = 503 if isinstance(refused, ProviderDown | DirectoryUnavailable) else 403
    login_text = settings_store.read(options.LOGIN_TEXT)
    asks_consent = bool(login_text) and settings_store.read(options.LOGIN_CONSENT)
    context = {"form": SignInForm(asks_consent=asks_consent), "login_text": login_text, "asks_consent": asks_consent}
    return render(request, "portal/sign_in.html", context | _elsewhere(request, str(refused)), status=status)


@require_safe
def session(_request: HttpRequest) -> HttpResponse:
    """Asked for by whoever wants to stay signed in."""
    return HttpResponse(status=204)


@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    response = _back(request)
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        response.set_cookie(THEME_COOKIE, chosen, max_age=YEAR, secure=True, httponly=True, samesite="Lax")
    else:
        response.delete_cookie(THEME_COOKIE)
    return response


@require_POST
def language(request: HttpRequest) -> HttpResponse:

    response = _back(request)
    chosen = request.POST.get("language", "")
    if check_for_language(chosen):
        name = settings.LANGUAGE_COOKIE_NAME
        response.set_cookie(name, chosen, max_age=YEAR, secure=True, httponly=True, samesite="Lax")
    return response


def _signed_in(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise TypeError
    return request.user


def _refused(form: SignInForm | CodeForm | ConfirmForm, refused: SignInRefused) -> int:
    form.add_error(None, str(refused))
    return {TooManyAttempts: 429, DirectoryUnavailable: 503}.get(type(refused), 200)


def _next(request: HttpRequest) -> str:
    return portal_sign_in.safe(request, request.POST.get(NEXT) or request.GET.get(NEXT) or "")


def _go_on(request: HttpRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect(_next(request) or reverse("portal:start"))


def _to(step: Step, request: HttpRequest) -> HttpResponseRedirect:
    return _go_on(request) if step is Step.DONE else redirect(_with_next(f"portal:{step}", request))


def _back(request: HttpRequest) -> HttpResponseRedirect:
    return HttpResponseRedirect(_next(request) or reverse("portal:sign-in"))


def _with_next(name: str, request: HttpRequest) -> str:

    address = _next(request)
    return reverse(name) + (f"?{urlencode({NEXT: address})}" if address else "")
