from collections.abc import Callable, Iterable, Iterator

import pytest
from django.test import Client

from tests.flows.house import House, opened
from users.models import AdminRole, User
from users.services import administrators, people
from users.services.people import NewPerson

PASSWORD = "correct horse battery"


def make_administrator(name: str = "admin", roles: Iterable[str] = tuple(AdminRole.values)) -> User:
    user = people.create(NewPerson(user_id=name, display_name=name.title(), password=PASSWORD), actor="test")
    administrators.set_roles(user, roles, actor="test")
    return user


def browser() -> Client:
    """As a browser comes: over TLS, with its forms held against their tokens."""
    return Client(enforce_csrf_checks=False, headers={"host": "localhost"})


SignedIn = Callable[..., Client]


@pytest.fixture
def signed_in(transactional_db: None) -> SignedIn:
    def sign_in(name: str = "admin", roles: Iterable[str] = tuple(AdminRole.values)) -> Client:
        make_administrator(name, roles)
        client = browser()
        response = client.post("/admin/sign-in", {"user_id": name, "password": PASSWORD}, secure=True)
        assert response.status_code == 302, response.content
        client.defaults["wsgi.url_scheme"] = "https"
        return client

    return sign_in


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    with opened() as house:
        yield house
