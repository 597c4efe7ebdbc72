"""An administrator's own account: password, second factor, sessions."""

from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from epmm import qr
from epmm.rate_limit import limited
from users import permissions
from users.errors import InvalidPerson, SignInRefused, TooManyAttempts, WrongCode
from users.forms import CodeForm, OwnPasswordForm
from users.models import AdminRole, PortalSession, User
from users.services import api_tokens, portal_sign_in, second_factor
from users.views.dialogs import administrator

HERE: Final = "portal:account"


@require_safe
def account(request: HttpRequest) -> HttpResponse:
    return _page(request, OwnPasswordForm())


@limited
@sensitive_post_parameters("current", "password", "again")
@require_POST
def password(request: HttpRequest) -> HttpResponse:
    form, status = OwnPasswordForm(request.POST), 200
    if form.is_valid():
        given = form.cleaned_data
        try:
            portal_sign_in.change_password(request, administrator(request), given["current"], given["password"])
        except SignInRefused as refusal:
            form.add_error("current", str(refusal))
            status = 429 if isinstance(refusal, TooManyAttempts) else 200
        except InvalidPerson as error:
            form.add_error("password", str(error))
        else:
            messages.success(request, _("Your password is changed. Your other sessions have ended."))
            return redirect(HERE)
    return _page(request, form, status)


@limited
@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest) -> HttpResponse:
    """The authenticator is shown its secret, and answers with its first code."""
    if (first := _asked_again(request)) is not None:
        return first
    user = administrator(request)
    form = CodeForm(request.POST or None)
    if form.is_valid():
        try:
            codes = second_factor.confirm(user, form.cleaned_data["code"])
        except WrongCode as error:
            form.add_error("code", str(error))
        else:
            portal_sign_in.end_sessions(request, user)
            return render(request, "portal/account/codes.html", {"codes": codes, "is_new": True})
    device = second_factor.begin(user)
    form.fields["code"].help_text = _("The six digits that your authenticator shows now.")
    context = {
        "form": form,
        "picture": qr.picture(second_factor.address(device)),
        "secret": second_factor.secret(device),
    }
    return render(request, "portal/account/set_up.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def codes(request: HttpRequest) -> HttpResponse:
    if (first := _asked_again(request)) is not None:
        return first
    user = administrator(request)
    if not second_factor.is_on(user):
        return redirect(HERE)
    if request.method != "POST":
        return render(request, "portal/account/ask.html", {"what": "codes"})
    return render(request, "portal/account/codes.html", {"codes": second_factor.new_codes(user)})


@require_http_methods(["GET", "HEAD", "POST"])
def switch_off(request: HttpRequest) -> HttpResponse:
    if (first := _asked_again(request)) is not None:
        return first
    if request.method != "POST":
        return render(request, "portal/account/ask.html", {"what": "off"})
    user = administrator(request)
    second_factor.switch_off(user, actor=user.user_id)
    messages.success(request, _("The second factor is switched off."))
    return redirect(HERE)


@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    ended = portal_sign_in.end_sessions(request, administrator(request))
    messages.success(request, _("Sessions ended: {n}").format(n=ended))
    return redirect(HERE)


def _page(request: HttpRequest, form: OwnPasswordForm, status: int = 200) -> HttpResponse:
    user = administrator(request)
    provider = portal_sign_in.confirms_elsewhere(user)
    context: dict[str, Any] = {
        "form": None if provider else form,
        "provider": provider,
        "sessions": _sessions(request, user),
        "has_second_factor": second_factor.is_on(user),
    }
    context["tokens"] = api_tokens.of(user)
    context["may_have_tokens"] = permissions.may(request, AdminRole.API)
    context["codes_left"] = second_factor.codes_left(user)
    return render(request, "portal/account/account.html", context, status=status)


def _sessions(request: HttpRequest, user: User) -> list[tuple[Any, bool]]:
    open_ones = PortalSession.objects.filter(user=user, expire_date__gt=timezone.now()).order_by("-started_at")
    return [(session, session.pk == request.session.session_key) for session in open_ones]


def _asked_again(request: HttpRequest) -> HttpResponse | None:
    """Who is at the keyboard?  Nobody changes a second factor on a screen that was left open."""
    if portal_sign_in.is_confirmed(request):
        return None
    return redirect(f"{reverse('portal:confirm')}?{urlencode({'next': request.path})}")
