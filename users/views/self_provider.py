"""From the user portal and from web registration to an identity provider, and back."""

import logging
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_safe

from epmm.rate_limit import limited
from users.errors import DirectoryUnavailable, ProviderDown, ProviderRefused, SignInRefused
from users.forms import SignInForm
from users.self_permissions import person
from users.services import self_provider
from users.services.self_sign_in import Step
from users.views.self_account import asked_for, go_on_to, sign_in_page

FOR: Final = "for"

log = logging.getLogger(__name__)


@limited
@require_safe
def depart(request: HttpRequest, number: int) -> HttpResponse:
    """By a link: a form of ours may not lead to another site."""
    keeps = {self_provider.REGISTERS: True} if request.GET.get(FOR) == Step.REGISTERS else {}
    try:
        return self_provider.DOOR.depart(number, then=asked_for(request), **keeps).respond()
    except ProviderRefused as refused:
        return _not_let_in(request, refused)


@limited
@require_safe
def callback(request: HttpRequest, number: int) -> HttpResponse:
    try:
        trip = self_provider.DOOR.recall(request, number)
        step, then = self_provider.arrive(request, trip)
    except SignInRefused as refused:
        return _not_let_in(request, refused)
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
    except ProviderRefused as refused:
        return _not_let_in(request, refused)


def _not_let_in(request: HttpRequest, refused: SignInRefused) -> HttpResponse:
    if isinstance(refused, ProviderRefused):
        log.warning("user portal sign-in at a provider: %s %s", type(refused).__name__, refused.why)
    status = 503 if isinstance(refused, ProviderDown | DirectoryUnavailable) else 403
    return sign_in_page(request, SignInForm(), refused=str(refused), status=status)
