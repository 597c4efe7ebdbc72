"""In and out of the user portal, and the password of whoever has one here."""

from typing import Any, Final

from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME as NEXT
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from epmm import options, settings_store
from epmm.client_address import client_address
from epmm.rate_limit import limited
from users.errors import InvalidPerson, NoUserPortal, SignInRefused, TooManyAttempts
from users.forms import CodeForm, NewPasswordForm, OwnPasswordForm, SignInForm
from users.self_permissions import person, person_of
from users.services import self_sign_in
from users.services.portal_sign_in import safe
from users.services.self_sign_in import Step

TOO_MANY: Final = 429
TABS: Final = {"home": "home", "device": "home", "help": "help", "password": "password", "sign_in": "sign-in"}


def page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
    """Every page says whose it is."""
    context |= {
        "organization": settings_store.read(options.ENTERPRISE_NAME),
        "person": person_of(request),
        "here": TABS.get(template, ""),
    }
    return render(request, f"self/{template}.html", context, status=status)


@limited
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    form, status = SignInForm(request.POST or None), 200
    if form.is_valid():
        name, password = form.cleaned_data["user_id"], form.cleaned_data["password"]
        try:
            return _to(self_sign_in.begin(request, name, password, address=client_address(request)), request)
        except SignInRefused as refused:
            status = refuse(form, refused)
    return page(request, "sign_in", form=form, status=status)


@limited
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    user = self_sign_in.pending(request, must_change=False)
    if user is None:
        return redirect(_with_next("self:sign-in", request))
    form, status = CodeForm(request.POST or None), 200
    if form.is_valid():
        try:
            self_sign_in.finish(request, user, form.cleaned_data["code"], address=client_address(request))
        except SignInRefused as refused:
            status = refuse(form, refused)
        else:
            return _to(Step.DONE, request)
    return page(request, "code", form=form, status=status)


@limited
@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def first_password(request: HttpRequest) -> HttpResponse:
    """For whoever signed in with a password that somebody else has thought of, or that is over."""
    user = self_sign_in.pending(request, must_change=True)
    if user is None:
        return redirect(_with_next("self:sign-in", request))
    form = NewPasswordForm(request.POST or None)
    if form.is_valid():
        try:
            return _to(self_sign_in.choose_password(request, user, form.cleaned_data["password"]), request)
        except InvalidPerson as error:
            form.add_error("password", str(error))
        except NoUserPortal:
            return page(request, "password_changed")
    return page(request, "first_password", form=form, user_id=user.user_id)


@limited
@sensitive_post_parameters("current", "password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def password(request: HttpRequest) -> HttpResponse:
    user, form, status = person(request), OwnPasswordForm(request.POST or None), 200
    if form.is_valid():
        current, new = form.cleaned_data["current"], form.cleaned_data["password"]
        try:
            self_sign_in.change_password(request, user, current, new, address=client_address(request))
        except SignInRefused as refusal:
            form.add_error("current", str(refusal))
            status = TOO_MANY if isinstance(refusal, TooManyAttempts) else 200
        except InvalidPerson as error:
            form.add_error("password", str(error))
        else:
            messages.success(request, _("Your password is changed. Your other sessions have ended."))
            return redirect("self:home")
    return page(request, "password", form=form, is_ours=self_sign_in.keeps_password(user), status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    self_sign_in.leave(request)
    return redirect("self:home")


def refuse(form: Any, refused: SignInRefused) -> int:
    """Say it on the form; the status to say it with."""
    form.add_error(None, str(refused))
    return TOO_MANY if isinstance(refused, TooManyAttempts) else 200


def _next(request: HttpRequest) -> str:
    """A page of the user portal alone: this session opens no other."""
    address = safe(request, request.POST.get(NEXT) or request.GET.get(NEXT) or "")
    return address if address.startswith(("/my/", "/help/")) else ""


def _to(step: Step, request: HttpRequest) -> HttpResponseRedirect:
    if step is Step.DONE:
        return HttpResponseRedirect(_next(request) or reverse("self:home"))
    return redirect(_with_next(f"self:{step}", request))


def _with_next(name: str, request: HttpRequest) -> str:
    address = _next(request)
    return reverse(name) + (f"?{urlencode({NEXT: address})}" if address else "")
