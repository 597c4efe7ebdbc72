from collections.abc import Callable, Iterable, Iterator

import pytest
from django.test import Client

from epmm import rate_limit, settings_store
from tests.flows.house import PASSWORD, House, opened, person
from users.models import Role

EVERYTHING = tuple(role for role in Role if role.startswith("portal"))
SignedIn = Callable[..., Client]


@pytest.fixture(autouse=True)
def fresh_settings() -> Iterator[None]:
    """A process remembers settings for a second and callers for longer; no test may inherit them, here or elsewhere."""
    settings_store.clear_cache()
    rate_limit.forget()
    yield
    settings_store.clear_cache()
    rate_limit.forget()


def phone(agent: str = "") -> Client:
    """As a browser comes: over TLS."""
    client = Client(headers={"host": "localhost", "user-agent": agent})
    client.defaults["wsgi.url_scheme"] = "https"
    return client


def enter(client: Client, name: str = "anna", password: str = PASSWORD) -> str:
    """Where it leads; empty when the page comes again."""
    response = client.post("/my/sign-in", {"user_id": name, "password": password})
    return str(response.headers.get("Location", ""))


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
