from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from enrollment.services import trace
from tests.flows.house import PASSWORD, House, opened, person, switch
from users.models import Role, User

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X) AppleWebKit/605.1.15 Version/18.2 Mobile/15E148"
IPAD = "Mozilla/5.0 (iPad; CPU OS 18_2 like Mac OS X) AppleWebKit/605.1.15 Version/18.2 Mobile/15E148"
HERS = "anna@mdm.example.test"
EVERYTHING = tuple(role for role in Role if role.startswith("portal"))
SignedIn = Callable[..., Client]


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def phone(agent: str = "") -> Client:
    """As a browser comes: over TLS."""
    client = Client(headers={"host": "localhost", "user-agent": agent})
    client.defaults["wsgi.url_scheme"] = "https"
    return client


def enter(client: Client, name: str = "anna", password: str = PASSWORD) -> str:
    """Where it leads; empty when the page comes again."""
    response = client.post("/my/sign-in", {"user_id": name, "password": password})
    return str(response.headers.get("Location", ""))


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser's attempt goes on for five minutes of the clock, which may end amid a test."""
    monkeypatch.setattr(trace, "REPEAT_WITHIN", timedelta(days=36525))


@pytest.fixture
def signed_in(transactional_db: None) -> SignedIn:
    def sign_in(name: str = "anna", roles: Iterable[str] = (*EVERYTHING, Role.ADDE)) -> Client:
        person(name, roles=tuple(roles))
        client = phone()
        assert enter(client, name) == "/"
        return client

    return sign_in


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    with opened() as house:
        yield house


@pytest.fixture
def anna(transactional_db: None) -> User:
    switch("ios.mdm.account_driven_device_enrollment", "on")
    return person("anna", roles=(*EVERYTHING, Role.ADDE))
