"""Where people of a provider come in here, show once more that it is they, and go out again through the provider."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from users.errors import ProviderDoubted, SignInRefused, SignInStale
from users.models import IdentityProvider, User
from users.services.oidc import flow
from users.services.oidc import people as provider_people
from users.services.oidc.flow import Arrival, Departure, Purpose, Trip

PROVIDER: Final = "provider"
ID_TOKEN: Final = "id_token"  # noqa: S105 - the name of a key; a hint for signing out, and no credential
LONGEST_HINT: Final = 4096
CONFIRMS: Final = "confirms"
THEN: Final = "then"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    name: str
    callback: str  # names of addresses of ours
    outside: str
    providers: Callable[[], QuerySet[IdentityProvider]]

    def purpose_of(self, number: int) -> Purpose:
        return Purpose(name=self.name, callback=f"{settings.PUBLIC_URL}{reverse(self.callback, args=[number])}")

    def find(self, number: int) -> IdentityProvider:
        """Raises ProviderRefused."""
        found = self.providers().filter(pk=number).first()
        if found is None:
            raise SignInStale("the provider is not enabled")
        return found

    def depart(self, number: int, *, then: str, **keeps: Any) -> Departure:
        """Raises ProviderRefused."""
        return flow.depart(self.find(number), self.purpose_of(number), keeps=json.dumps(keeps | {THEN: then}))

    def depart_to_confirm(self, user: User, provider: IdentityProvider | None, *, then: str) -> Departure:
        """Who is at the keyboard is asked there, even who is signed in there.  Raises ProviderRefused."""
        if provider is None:
            raise SignInStale("this account comes from no provider that is enabled")
        keeps, hint = json.dumps({THEN: then, CONFIRMS: user.pk}), user.email or user.user_id
        return flow.depart(provider, self.purpose_of(provider.pk), keeps=keeps, login_hint=hint, fresh=True)

    def recall(self, request: HttpRequest, number: int) -> Trip:
        """Raises ProviderRefused."""
        return flow.recall(
            self.find(number), self.purpose_of(number), query=request.GET.dict(), cookies=request.COOKIES
        )

    def way_out(self, request: HttpRequest) -> str:
        """Where this session's provider ends its own; asked before ours ends."""
        number = request.session.get(PROVIDER)
        provider = IdentityProvider.objects.filter(pk=number).first() if number else None
        if provider is None:
            return ""
        then = f"{settings.PUBLIC_URL}{reverse(self.outside)}"
        return flow.sign_out_address(provider, id_token_hint=request.session.get(ID_TOKEN, ""), then=then)


def arrive(request: HttpRequest, trip: Trip) -> tuple[User, Arrival, dict[str, Any]]:
    """Who it is here, and what was kept.  Raises SignInRefused, also for somebody else than is to confirm."""
    arrival = flow.complete(trip, query=request.GET.dict())
    kept = json.loads(trip.keeps)
    try:
        user = provider_people.arrive(trip.provider, arrival.claimed)
    except SignInRefused as refused:
        refused.named = arrival.claimed.user_id
        raise
    is_asked = trip.fresh and user.pk == kept.get(CONFIRMS) and request.user == user
    if CONFIRMS in kept and not is_asked:
        raise ProviderDoubted("somebody else")
    return user, arrival, kept


def remember(session: SessionBase, trip: Trip, arrival: Arrival) -> None:
    """Where this session comes from."""
    hint = arrival.id_token if len(arrival.id_token) <= LONGEST_HINT else ""
    session.update({PROVIDER: trip.provider.pk, ID_TOKEN: hint})


def remembered(session: SessionBase) -> Mapping[str, Any]:
    return {name: session[name] for name in (PROVIDER, ID_TOKEN) if name in session}
