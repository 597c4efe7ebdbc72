"""The user portal and web registration for people who come from an identity provider."""

import json
from typing import Final

from django.db.models import QuerySet
from django.http import HttpRequest

from users.models import IdentityProvider, User
from users.services import self_sign_in
from users.services.oidc import doors, providers
from users.services.oidc import people as provider_people
from users.services.oidc.doors import Door
from users.services.oidc.flow import Departure, Trip
from users.services.self_sign_in import Step

DOOR: Final = Door(
    name="self",
    callback="self:sign-in-provider-callback",
    outside="self:home",
    providers=providers.for_self,
)
REGISTERS: Final = "registers"


def for_registration() -> QuerySet[IdentityProvider]:
    """Whose people say at `/go` who they are."""
    return providers.for_self().filter(for_enrollment=True)


def is_of_one(request: HttpRequest, user: User) -> bool:
    """Whether it is a provider that says once more who is there: who came from one in this session, or has no
    password here."""
    return doors.PROVIDER in request.session or not self_sign_in.has_password(user)


def provider_of(request: HttpRequest, user: User) -> IdentityProvider | None:
    number = request.session.get(doors.PROVIDER)
    found = providers.for_self().filter(pk=number).first() if number else None
    return found or provider_people.provider_of(user, providers.for_self())


def depart_to_confirm(request: HttpRequest, user: User, *, then: str) -> Departure:
    """Raises ProviderRefused."""
    return DOOR.depart_to_confirm(user, provider_of(request, user), then=then)


def registers(trip: Trip) -> bool:
    """Whether it began at `/go`."""
    return REGISTERS in json.loads(trip.keeps)


def arrive(request: HttpRequest, trip: Trip) -> tuple[Step, str]:
    """What is left to do, and where to go on after that.  Raises SignInRefused."""
    user, arrival, kept = doors.arrive(request, trip)
    if doors.CONFIRMS in kept:
        self_sign_in.note_confirmed(request)
        return Step.DONE, kept[doors.THEN]
    if REGISTERS in kept:
        self_sign_in.prove(request, user)
        return Step.REGISTERS, ""
    step = self_sign_in.go_on(request, user)
    self_sign_in.forget_confirmed(request)  # whoever is signed in there has perhaps not been asked just now
    doors.remember(request.session, trip, arrival)
    return step, kept[doors.THEN]
