"""Administrators who come from an identity provider: in, once more in between, and out."""

import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from django.test import Client
from django_otp.oath import totp

from epmm import settings_store
from epmm.models import AuditEntry
from tests.portal.conftest import SignedIn, browser
from tests.providers import pretender as far
from tests.providers.pretender import Pretender
from users.models import AdminRole, IdentityProvider, PortalSession, User
from users.services import administrators, portal_sign_in
from users.services.oidc import people
from users.services.second_factor import begin

pytestmark = pytest.mark.django_db
OURS = "https://mdm.example.test:8443"


@pytest.fixture
def pretender() -> Iterator[Pretender]:
    with far.in_place() as made:
        made.asks = False
        yield made


@pytest.fixture
def provider(pretender: Pretender) -> IdentityProvider:
    return far.row()


@pytest.fixture
def visitor() -> Client:
    client = browser()
    client.defaults["wsgi.url_scheme"] = "https"
    return client


def administrator(provider: IdentityProvider, roles: Any = tuple(AdminRole.values)) -> User:
    from users.protocol.claims import Claimed

    user = people.arrive(provider, Claimed(subject="s-anna", user_id="anna", full_name="Anna Berg"))
    administrators.set_roles(user, roles, actor="test")
    return user


def leave(visitor: Client, provider: IdentityProvider, **fields: str) -> str:
    """To the provider, by the button on the page."""
    page = visitor.post(f"/admin/sign-in/provider/{provider.pk}", fields)
    assert page.status_code == 200, page
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page.content.decode())
    assert found is not None
    return html.unescape(found[1])


def come_back(visitor: Client, pretender: Pretender, address: str) -> Any:
    answer = pretender.handle_request(httpx2.Request("GET", address))
    back = urlsplit(answer.headers["Location"])
    assert f"{back.scheme}://{back.netloc}" == OURS
    return visitor.get(back.path, dict(parse_qsl(back.query)))


def enter(visitor: Client, pretender: Pretender, provider: IdentityProvider, **fields: str) -> Any:
    return come_back(visitor, pretender, leave(visitor, provider, **fields))


def test_an_administrator_comes_in_and_goes(visitor: Client, pretender: Pretender, provider: IdentityProvider) -> None:
    user = administrator(provider)
    assert b"Sign in with Corp Login" in visitor.get("/admin/sign-in").content

    answer = enter(visitor, pretender, provider, next="/admin/users")

    assert (answer.status_code, answer["Location"]) == (302, "/admin/users")
    assert visitor.get("/admin/users").status_code == 200
    assert PortalSession.objects.filter(user=user).count() == 1
    assert AuditEntry.objects.filter(action="portal.signed_in", subject="anna").exists()
    assert not [name for name in visitor.cookies if "oidc" in name and visitor.cookies[name].value]

    page = visitor.post("/admin/sign-out")
    found = re.search(r'content="0; url=([^"]+)"', page.content.decode())
    assert found is not None
    address = urlsplit(html.unescape(found[1]))
    asked = dict(parse_qsl(address.query))
    assert (address.netloc, address.path) == ("login.example.test", "/logout")
    assert asked["post_logout_redirect_uri"] == f"{OURS}/admin/sign-in"
    assert asked["id_token_hint"].count(".") == 2
    assert visitor.get("/admin/users").status_code == 302
    assert not PortalSession.objects.filter(user=user).exists()


def test_a_provider_without_sign_out(visitor: Client, pretender: Pretender, provider: IdentityProvider) -> None:
    administrator(provider)
    pretender.metadata = {"end_session_endpoint": None}
    enter(visitor, pretender, provider)

    assert visitor.post("/admin/sign-out")["Location"] == "/admin/sign-in"


def test_whoever_signed_in_with_a_password_is_sent_nowhere(
    signed_in: SignedIn, pretender: Pretender, provider: IdentityProvider
) -> None:
    client = signed_in()

    assert client.get("/admin/confirm/provider?next=/admin/users")["Location"] == "/admin/confirm?next=%2Fadmin%2Fusers"
    assert client.post("/admin/sign-out")["Location"] == "/admin/sign-in"


def test_somebody_new_is_known_afterwards_and_let_in_once_they_may(
    visitor: Client, pretender: Pretender, provider: IdentityProvider
) -> None:
    answer = enter(visitor, pretender, provider)

    assert (answer.status_code, b"An administrator can give it a role" in answer.content) == (403, True)
    assert visitor.get("/admin/users").status_code == 302
    user = User.objects.get(user_id="anna")
    assert not user.is_admin

    administrators.set_roles(user, [AdminRole.USER_VIEW], actor="test")
    assert enter(visitor, pretender, provider).status_code == 302
    assert visitor.get("/admin/users").status_code == 200


def test_the_second_factor_is_asked_for_here_as_well(
    visitor: Client, pretender: Pretender, provider: IdentityProvider
) -> None:
    device = begin(administrator(provider))
    device.confirmed = True
    device.save()

    answer = enter(visitor, pretender, provider, next="/admin/users")

    assert answer["Location"] == "/admin/sign-in/code?next=%2Fadmin%2Fusers"
    assert visitor.get("/admin/users").status_code == 302
    visitor.post(answer["Location"], {"code": f"{totp(bytes(device.key)):06}"})
    assert visitor.get("/admin/users").status_code == 200
    assert "login.example.test/logout" in visitor.post("/admin/sign-out").content.decode()  # the provider is remembered


@pytest.mark.parametrize("where", ["//evil.example/", "https://evil.example/", "javascript:alert(1)"])
def test_nobody_is_led_elsewhere(visitor: Client, pretender: Pretender, provider: IdentityProvider, where: str) -> None:
    administrator(provider)

    assert enter(visitor, pretender, provider, next=where)["Location"] == "/admin/"


@pytest.mark.parametrize(
    ("said", "status", "sentence"),
    [
        ({"is_down": True}, 503, b"cannot be reached"),
        ({"says_no": "access_denied"}, 403, b"did not let you in"),
        ({"changed": lambda claims: claims | {"nonce": "x"}}, 403, b"could not be trusted"),
    ],
)
def test_why_nobody_came_in(
    visitor: Client, pretender: Pretender, provider: IdentityProvider, said: Any, status: int, sentence: bytes
) -> None:
    administrator(provider)
    address = leave(visitor, provider)
    answer = pretender.handle_request(httpx2.Request("GET", address))
    for name, value in said.items():
        setattr(pretender, name, value)
    back = urlsplit(answer.headers["Location"]) if "says_no" not in said else None
    page = (
        come_back(visitor, pretender, address) if back is None else visitor.get(back.path, dict(parse_qsl(back.query)))
    )

    assert (page.status_code, sentence in page.content) == (status, True)
    assert b'name="password"' in page.content
    assert not PortalSession.objects.exclude(user=None).exists()


def test_a_callback_out_of_nothing(visitor: Client, pretender: Pretender, provider: IdentityProvider) -> None:
    administrator(provider)

    page = visitor.get(f"/admin/sign-in/provider/{provider.pk}/callback", {"state": "x", "code": "y"})

    assert (page.status_code, b"no longer valid" in page.content) == (403, True)
    assert pretender.calls == []


def test_only_those_for_the_portal_are_offered(visitor: Client, pretender: Pretender) -> None:
    for name, changes in (("Phones", {"for_portal": False}), ("Off", {"is_enabled": False}), ("On", {})):
        row = far.row(name=name, **changes)
        page = visitor.get("/admin/sign-in").content.decode()
        assert (f"Sign in with {name}" in page) is (name == "On")
        assert visitor.post(f"/admin/sign-in/provider/{row.pk}").status_code == (200 if name == "On" else 403)


def test_consent_is_given_before(visitor: Client, pretender: Pretender, provider: IdentityProvider) -> None:
    for name, value in (("general.login_text", "Our rules."), ("general.login_consent", "on")):
        settings_store.change(name, value, actor="test")
    settings_store.clear_cache()

    assert visitor.post(f"/admin/sign-in/provider/{provider.pk}").status_code == 302
    assert leave(visitor, provider, consent="on").startswith("https://login.example.test/")
    assert visitor.get("/admin/sign-in").content.count(b'name="consent"') == 2


def forget_who_is_there(visitor: Client) -> None:
    session = visitor.session
    session[portal_sign_in.CONFIRMED] = 0
    session.save()


def test_who_is_at_the_keyboard_is_asked_at_the_provider(
    visitor: Client, pretender: Pretender, provider: IdentityProvider
) -> None:
    administrator(provider)
    enter(visitor, pretender, provider)
    forget_who_is_there(visitor)
    assert visitor.get("/admin/account/second-factor")["Location"].startswith("/admin/confirm?")

    first = visitor.get("/admin/confirm", {"next": "/admin/account/second-factor"})
    assert first["Location"] == "/admin/confirm/provider?next=%2Fadmin%2Faccount%2Fsecond-factor"
    there = visitor.get(first["Location"])
    assert there.status_code == 302
    back = come_back(visitor, pretender, there["Location"])

    assert (pretender.asked[-1]["prompt"], pretender.asked[-1]["max_age"]) == ("login", "0")
    assert back["Location"] == "/admin/account/second-factor"
    assert visitor.get(back["Location"]).status_code == 200


@pytest.mark.parametrize("who", ["somebody else", "nobody was asked"])
def test_a_confirmation_that_is_none(
    visitor: Client, pretender: Pretender, provider: IdentityProvider, who: str
) -> None:
    administrator(provider)
    enter(visitor, pretender, provider)
    forget_who_is_there(visitor)
    there = visitor.get("/admin/confirm/provider", {"next": "/admin/users"})
    if who == "somebody else":
        pretender.person = {"sub": "s-bob", "preferred_username": "bob"}
    else:
        pretender.changed = lambda claims: claims | {"auth_time": claims["auth_time"] - 3600}

    assert come_back(visitor, pretender, there["Location"]).status_code == 403
    assert visitor.get("/admin/account/second-factor")["Location"].startswith("/admin/confirm?")


def test_an_ordinary_sign_in_confirms_nothing(
    visitor: Client, pretender: Pretender, provider: IdentityProvider
) -> None:
    """The one that was begun on the sign-in page of somebody else's browser is another browser's."""
    administrator(provider)
    enter(visitor, pretender, provider)
    forget_who_is_there(visitor)
    other = browser()
    other.defaults["wsgi.url_scheme"] = "https"

    assert come_back(visitor, pretender, leave(other, provider)).status_code == 403
    assert visitor.get("/admin/account/second-factor")["Location"].startswith("/admin/confirm?")


def test_a_dialog_leads_to_the_provider_and_back_to_its_page(
    visitor: Client, pretender: Pretender, provider: IdentityProvider
) -> None:
    administrator(provider)
    other = User.objects.create(user_id="bob", is_admin=True)
    enter(visitor, pretender, provider)
    forget_who_is_there(visitor)

    dialog = visitor.post(
        f"/admin/admins/{other.pk}/second-factor",
        {"go": "1"},
        headers={"HX-Current-URL": f"https://localhost/admin/users/{other.pk}?tab=1", "HX-Request": "true"},
    )

    assert dialog.status_code == 422
    assert f"/admin/confirm/provider?next=%2Fadmin%2Fusers%2F{other.pk}%3Ftab%3D1" in dialog.content.decode()
    assert b'name="password"' not in dialog.content


def test_the_account_page_says_where_the_password_is(
    visitor: Client, pretender: Pretender, provider: IdentityProvider
) -> None:
    administrator(provider)
    enter(visitor, pretender, provider)

    page = visitor.get("/admin/account").content

    assert b"You sign in with Corp Login" in page
    assert b'name="current"' not in page
