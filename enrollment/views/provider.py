"""From the web sign-in to an identity provider and back, into the same signed state."""

from typing import Final

from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from enrollment import reasons
from enrollment.models import Step
from enrollment.protocol.challenge import CALLBACK_SCHEME
from enrollment.services import sign_in, trace
from enrollment.services.policy import Refused
from enrollment.services.sign_in import SignInExpired, State
from enrollment.views.sign_in import next_page, refused_page
from epmm.client_address import client_address
from epmm.rate_limit import limited
from users.errors import ProviderRefused
from users.models import IdentityProvider
from users.services.oidc import flow, providers
from users.services.oidc.flow import Purpose, Trip

PURPOSE: Final = "enrollment"


@limited
@never_cache
@require_safe
def depart(request: HttpRequest, number: int, sealed: str) -> HttpResponse:
    try:
        state = State.unseal(sealed)
    except SignInExpired:
        return refused_page(request, Refused(reasons.SIGN_IN_EXPIRED))
    try:
        departure = flow.depart(_enabled(number), purpose_of(number), keeps=state.seal(), login_hint=state.identifier)
    except ProviderRefused as error:
        return refused_page(request, sign_in.refuse(state, error))
    except Refused as refused:
        return refused_page(request, refused)
    trace.step(trace.find(state.reference), Step.PROVIDER)
    return departure.respond()


@limited
@never_cache
@csp_update({"form-action": [f"{CALLBACK_SCHEME}:"]})  # type: ignore[arg-type] # typed for views without arguments
@require_safe
def callback(request: HttpRequest, number: int) -> HttpResponse:
    query = request.GET.dict()
    try:
        trip = flow.recall(_enabled(number), purpose_of(number), query=query, cookies=request.COOKIES)
    except ProviderRefused as error:
        return refused_page(request, sign_in.as_refused(error))
    except Refused as refused:
        return refused_page(request, refused)
    response = _arrived(request, trip, query)
    response.delete_cookie(trip.cookie, samesite="Lax")
    return response


def _arrived(request: HttpRequest, trip: Trip, query: dict[str, str]) -> HttpResponse:
    try:
        state = State.unseal(trip.keeps)
    except SignInExpired:
        return refused_page(request, Refused(reasons.SIGN_IN_EXPIRED))
    try:
        arrival = flow.complete(trip, query=query)
        ticket = sign_in.verify_claimed(state, trip.provider, arrival.claimed, address=client_address(request))
    except ProviderRefused as error:
        return refused_page(request, sign_in.refuse(state, error))
    except Refused as refused:
        return refused_page(request, refused)
    return next_page(request, state, ticket)


def purpose_of(number: int) -> Purpose:
    return Purpose(name=PURPOSE, callback=f"{settings.PUBLIC_URL}{reverse('provider-callback', args=[number])}")


def _enabled(number: int) -> IdentityProvider:
    found = providers.for_enrollment().filter(pk=number).first()
    if found is None:
        raise Refused(reasons.NO_PROVIDER)
    return found
