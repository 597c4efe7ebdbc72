"""A browser on its way to the provider and back, without pages."""

from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx2

from tests.providers.pretender import Pretender
from users.models import IdentityProvider
from users.services.oidc import flow
from users.services.oidc.flow import Arrival, Departure, Purpose

PURPOSE: Final = Purpose(name="test", callback="https://mdm.example.test:8443/enroll/provider/1/callback")


def depart(provider: IdentityProvider, **options: Any) -> Departure:
    return flow.depart(provider, PURPOSE, keeps="what was kept", **options)


def at(pretender: Pretender, departure: Departure) -> dict[str, str]:
    """What the provider's callback says."""
    pretender.asks = False
    answer = pretender.handle_request(httpx2.Request("GET", departure.address))
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


def arrive(provider: IdentityProvider, departure: Departure, query: dict[str, str], **changes: Any) -> Arrival:
    cookies = changes.pop("cookies", {departure.cookie: departure.value})
    trip = flow.recall(provider, changes.pop("purpose", PURPOSE), query=query, cookies=cookies)
    assert trip.keeps == "what was kept"
    assert trip.cookie == departure.cookie
    return flow.complete(trip, query=query)


def travel(pretender: Pretender, provider: IdentityProvider, **options: Any) -> Arrival:
    departure = depart(provider, **options)
    return arrive(provider, departure, at(pretender, departure))
