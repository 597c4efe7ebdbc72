"""From the user portal and from web registration to an identity provider, and back."""

from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from enrollment import reasons
from enrollment.services import sign_in, trace, web_registration
from enrollment.services.policy import Refused
from enrollment.views.devices_met import family_of
from epmm.client_address import client_address
from epmm.rate_limit import limited
from users.errors import NoUserPortal, SignInRefused
from users.forms import SignInForm
from users.self_permissions import person
from users.services import self_provider
from users.services.self_sign_in import Step
from users.views.self_account import asked_for, go_on_to, page, sign_in_page

FOR: Final = "for"
AWAY: Final = (reasons.PROVIDER_DOWN, reasons.DIRECTORY_DOWN)


@limited
@require_safe
def depart(request: HttpRequest, number: int) -> HttpResponse:
    """By a link: a form of ours may not lead to another site."""
    is_go = request.GET.get(FOR) == Step.REGISTERS
    keeps = {self_provider.REGISTERS: True} if is_go else {}
    try:
        return self_provider.DOOR.depart(number, then=asked_for(request), **keeps).respond()
    except SignInRefused as error:
        return _not_let_in(request, error, is_go=is_go)


@limited
@require_safe
def callback(request: HttpRequest, number: int) -> HttpResponse:
    is_go = False  # as long as nobody knows where it began
    try:
        trip = self_provider.DOOR.recall(request, number)
        is_go = self_provider.registers(trip)
        step, then = self_provider.arrive(request, trip)
    except SignInRefused as error:
        return _not_let_in(request, error, is_go=is_go)
    response = go_on_to(step, then)
    response.delete_cookie(trip.cookie, samesite="Lax")
    return response


@limited
@require_safe
def confirm(request: HttpRequest) -> HttpResponse:
    """Once more, where this person came from."""
    user = person(request)
    if not self_provider.is_of_one(request, user):
        return redirect(asked_for(request) or "self:home")
    try:
        return self_provider.depart_to_confirm(request, user, then=asked_for(request)).respond()
    except SignInRefused as error:
        return _not_let_in(request, error, is_go=False)


def _not_let_in(request: HttpRequest, error: SignInRefused, *, is_go: bool) -> HttpResponse:
    """With a code that the enrollment log has, as after a sign-in on a device."""
    if isinstance(error, NoUserPortal):
        return sign_in_page(request, SignInForm(), refused=str(error), status=403)
    refused, address = sign_in.as_refused(error), client_address(request)
    web_registration.note(
        refused,
        trace.in_browser(f"at a provider: {error.named}", address),
        identifier=error.named,
        family=family_of(request),
        address=address,
        where="/go" if is_go else "/my/sign-in",
    )
    if is_go:
        return refused_page(request, refused)
    shown = {"refused": str(error), "code": refused.reason.code}
    return sign_in_page(request, SignInForm(), status=_status(refused), **shown)


def refused_page(request: HttpRequest, refused: Refused) -> HttpResponse:
    shown = {"sentence": refused.sentence, "code": refused.reason.code, "is_go": True}
    return page(request, "refused", status=_status(refused), **shown)


def _status(refused: Refused) -> int:
    return 503 if refused.reason in AWAY else 403
