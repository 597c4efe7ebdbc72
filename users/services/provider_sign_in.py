"""Portal sign-in, step-up and sign-out for administrators who come from an identity provider."""

import json
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from users.errors import NoAdministrator, ProviderDoubted, SignInStale
from users.models import IdentityProvider, User
from users.services import portal_sign_in
from users.services.oidc import flow, providers
from users.services.oidc import people as provider_people
from users.services.oidc.flow import Departure, Purpose, Trip
from users.services.portal_sign_in import Step

PURPOSE: Final = "portal"
PROVIDER: Final = "provider"
ID_TOKEN: Final = "id_token"  # noqa: S105 - the name of a key; a hint for signing out, and no credential
LONGEST_HINT: Final = 4096


def purpose_of(number: int) -> Purpose:
    callback = reverse("portal:sign-in-provider-callback", args=[number])
    return Purpose(name=PURPOSE, callback=f"{settings.PUBLIC_URL}{callback}")


def find(number: int) -> IdentityProvider:
    """Raises ProviderRefused."""
    found = providers.for_portal().filter(pk=number).first()
    if found is None:
        raise SignInStale("the provider is not enabled")
    return found


def depart(number: int, *, then: str) -> Departure:
    """Raises ProviderRefused."""
    return flow.depart(find(number), purpose_of(number), keeps=json.dumps({"then": then}))


def depart_to_confirm(user: User, *, then: str) -> Departure:
    """Who is at the keyboard is asked there, even who is signed in there.  Raises ProviderRefused."""
    provider = provider_people.provider_of(user)
    if provider is None:
        raise SignInStale("this account comes from no provider that is enabled")
    hint = user.email or user.user_id
    keeps = json.dumps({"then": then, "confirms": user.pk})
    return flow.depart(provider, purpose_of(provider.pk), keeps=keeps, login_hint=hint, fresh=True)


def recall(request: HttpRequest, number: int) -> Trip:
    """Raises ProviderRefused."""
    return flow.recall(find(number), purpose_of(number), query=request.GET.dict(), cookies=request.COOKIES)


def arrive(request: HttpRequest, trip: Trip) -> tuple[Step, str]:
    """What is left to do, and where to go on after that.  Raises SignInRefused."""
    arrival = flow.complete(trip, query=request.GET.dict())
    kept = json.loads(trip.keeps)
    user = provider_people.arrive(trip.provider, arrival.claimed)
    if "confirms" in kept:
        _confirm(request, trip, user, confirms=kept["confirms"])
        return Step.DONE, kept["then"]
    if not user.is_admin:
        portal_sign_in.record_refusal(request, user)
        raise NoAdministrator
    step = portal_sign_in.go_on(request, user)
    request.session[PROVIDER] = trip.provider.pk
    request.session[ID_TOKEN] = arrival.id_token if len(arrival.id_token) <= LONGEST_HINT else ""
    return step, kept["then"]


def _confirm(request: HttpRequest, trip: Trip, user: User, *, confirms: int) -> None:
    """The one whose session it is, who was asked just now."""
    if not trip.fresh or user.pk != confirms or request.user != user:
        raise ProviderDoubted("somebody else")
    portal_sign_in.note_confirmed(request)


def way_out(request: HttpRequest) -> str:
    """Where this session's provider ends its own; asked before ours ends."""
    number = request.session.get(PROVIDER)
    provider = IdentityProvider.objects.filter(pk=number).first() if number else None
    if provider is None:
        return ""
    then = f"{settings.PUBLIC_URL}{reverse('portal:sign-in')}"
    return flow.sign_out_address(provider, id_token_hint=request.session.get(ID_TOKEN, ""), then=then)
