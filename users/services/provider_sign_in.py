"""Portal sign-in, step-up and sign-out for administrators who come from an identity provider."""

from typing import Final

from django.http import HttpRequest

from users.errors import NoAdministrator
from users.models import User
from users.services import portal_sign_in
from users.services.oidc import doors, providers
from users.services.oidc import people as provider_people
from users.services.oidc.doors import Door
from users.services.oidc.flow import Departure, Trip
from users.services.portal_sign_in import Step

DOOR: Final = Door(
    name="portal",
    callback="portal:sign-in-provider-callback",
    outside="portal:sign-in",
    providers=providers.for_portal,
)


def depart_to_confirm(user: User, *, then: str) -> Departure:
    """Raises ProviderRefused."""
    return DOOR.depart_to_confirm(user, provider_people.provider_of(user, DOOR.providers()), then=then)


def arrive(request: HttpRequest, trip: Trip) -> tuple[Step, str]:
    """What is left to do, and where to go on after that.  Raises SignInRefused."""
    user, arrival, kept = doors.arrive(request, trip)
    if doors.CONFIRMS in kept:
        portal_sign_in.note_confirmed(request)
        return Step.DONE, kept[doors.THEN]
    if not user.is_admin:
        portal_sign_in.record_refusal(request, user)
        raise NoAdministrator
    step = portal_sign_in.go_on(request, user)
    doors.remember(request.session, trip, arrival)
    return step, kept[doors.THEN]
