"""In and out of the user portal, and the password of whoever has one here."""

from collections.abc import Iterable
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
from users.models import IdentityProvider
from users.self_permissions import person, person_of
from users.services import half_way, self_provider, self_sign_in
from users.services.oidc import providers
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
            step = self_sign_in.begin(request, name, password, address=client_address(request))
            return go_on_to(step, asked_for(request))
        except SignInRefused as refused:
            status = refuse(form, refused)
    return sign_in_page(request, form, status=status)


def sign_in_page(request: HttpRequest, form: SignInForm, *, status: int, **context: Any) -> HttpResponse:
    """Where there is a choice no keyboard covers half of it."""
    if found := ways(request, providers.for_self()):
        form.fields["user_id"].widget.attrs.pop("autofocus", None)
    return page(request, "sign_in", form=form, ways=found, status=status, **context)


@limited
@require_http_methods(["GET", "HEAD", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    user = half_way.person(request, must_change=False)
    if user is None:
        return redirect(_with("self:sign-in", asked_for(request)))
    form, status = CodeForm(request.POST or None), 200
    if form.is_valid():
        try:
            self_sign_in.finish(request, user, form.cleaned_data["code"], address=client_address(request))
        except SignInRefused as refused:
            status = refuse(form, refused)
        else:
            return go_on_to(Step.DONE, asked_for(request))
    return page(request, "code", form=form, status=status)


@limited
@sensitive_post_parameters("password", "again")
@require_http_methods(["GET", "HEAD", "POST"])
def first_password(request: HttpRequest) -> HttpResponse:
    """For whoever signed in with a password that somebody else has thought of, or that is over."""
    user = half_way.person(request, must_change=True)
    if user is None:
        return redirect(_with("self:sign-in", asked_for(request)))
    form = NewPasswordForm(request.POST or None)
    if form.is_valid():
        try:
            step = self_sign_in.choose_password(request, user, form.cleaned_data["password"])
            return go_on_to(step, asked_for(request))
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
    where = {"is_ours": self_sign_in.keeps_password(user), "is_of_directory": self_sign_in.has_password(user)}
    return page(request, "password", form=form, **where, status=status)


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Where a provider signed somebody in, it ends its session, too."""
    way_out = self_provider.DOOR.way_out(request)
    self_sign_in.leave(request)
    return page(request, "leaving", address=way_out) if way_out else redirect("self:home")


def ways(request: HttpRequest, found: Iterable[IdentityProvider], **query: str) -> list[tuple[str, str]]:
    """To these providers: name and address."""
    query |= {NEXT: address} if (address := asked_for(request)) else {}
    suffix = f"?{urlencode(query)}" if query else ""
    return [(each.name, reverse("self:sign-in-provider", args=[each.pk]) + suffix) for each in found]


def refuse(form: Any, refused: SignInRefused) -> int:
    """Say it on the form; the status to say it with."""
    form.add_error(None, str(refused))
    return TOO_MANY if isinstance(refused, TooManyAttempts) else 200


def asked_for(request: HttpRequest) -> str:
    """A page of the user portal alone: this session opens no other."""
    address = safe(request, request.POST.get(NEXT) or request.GET.get(NEXT) or "")
    return address if address.startswith(("/my/", "/help/")) else ""


def go_on_to(step: Step, address: str) -> HttpResponseRedirect:
    if step is Step.DONE:
        return HttpResponseRedirect(address or reverse("self:home"))
    return HttpResponseRedirect(_with(f"self:{step}", address))


def _with(name: str, address: str) -> str:
    return reverse(name) + (f"?{urlencode({NEXT: address})}" if address else "")
