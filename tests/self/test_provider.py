"""The user portal and web registration for people who sign in at an identity provider."""

import html
import re
from base64 import b32decode
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest
from django.test import Client
from django_otp.oath import totp

from devices.models import Command
from enrollment.models import Attempt
from enrollment.services import registration
from epmm.models import AuditEntry
from tests.flows.house import HOST, House, person, record_of, switch
from tests.providers import pretender as far
from tests.providers.pretender import Pretender
from tests.self.conftest import EVERYTHING, enter, phone
from users.models import Group, GroupRole, IdentityProvider, PersonSession, Role, User
from users.protocol.claims import Claimed
from users.services import roles, second_factor, self_sign_in
from users.services.oidc import people

pytestmark = pytest.mark.django_db(transaction=True)
OURS = "https://mdm.example.test:8443"
HOME = "Your Devices"


@pytest.fixture
def pretender() -> Iterator[Pretender]:
    with far.in_place() as made:
        made.asks = False
        made.person |= {"email": "anna@corp.example", "groups": ["Staff"], "account": f"anna@{HOST}"}
        yield made


@pytest.fixture
def provider(pretender: Pretender) -> IdentityProvider:
    return with_roles(far.row(account_claim="account"), *EVERYTHING, Role.ADDE)


def with_roles(provider: IdentityProvider, *keys: str) -> IdentityProvider:
    staff = Group.objects.create(provider=provider, external_id="Staff", name="Staff")
    GroupRole.objects.bulk_create(GroupRole(group=staff, key=key, granted_by="test") for key in keys)
    return provider


def there_and_back(client: Client, pretender: Pretender, path: str) -> Any:
    """By what the browser is told."""
    gone = client.get(path)
    assert gone.status_code == 302, gone.content
    answer = pretender.handle_request(httpx2.Request("GET", gone["Location"]))
    back = urlsplit(answer.headers["Location"])
    assert f"{back.scheme}://{back.netloc}" == OURS
    return client.get(back.path, dict(parse_qsl(back.query)))


def way_in(client: Client, page: str = "/my/sign-in") -> str:
    found = re.search(r'href="(/my/sign-in/provider/[^"]+)"', client.get(page).content.decode())
    assert found is not None
    return html.unescape(found[1])


def signed_in(pretender: Pretender) -> Client:
    client = phone()
    assert there_and_back(client, pretender, way_in(client))["Location"] == "/"
    return client


def is_in(client: Client) -> bool:
    return HOME in client.get("/").content.decode()


def test_a_person_gets_to_the_page_that_was_asked_for_and_leaves_the_provider_as_well(
    pretender: Pretender, provider: IdentityProvider
) -> None:
    client = phone()
    sent = client.get("/my/password")["Location"]

    back = there_and_back(client, pretender, way_in(client, sent))

    assert back["Location"] == "/my/password"
    assert AuditEntry.objects.filter(action="self.signed_in", subject="anna").exists()
    assert b"Change your password there" in client.get("/my/password").content
    assert not [name for name in client.cookies if "oidc" in name and client.cookies[name].value]

    page = client.post("/my/sign-out").content.decode()
    found = re.search(r'content="0; url=([^"]+)"', page)
    assert found is not None
    address = urlsplit(html.unescape(found[1]))
    asked = dict(parse_qsl(address.query))
    assert (address.netloc, address.path, asked["post_logout_redirect_uri"]) == (
        "login.example.test",
        "/logout",
        f"{OURS}/",
    )
    assert asked["id_token_hint"].count(".") == 2
    assert not is_in(client)
    assert not PersonSession.objects.exists()


def test_a_second_factor_of_ours_is_asked_for_as_well_and_the_way_out_stays(
    pretender: Pretender, provider: IdentityProvider
) -> None:
    signed_in(pretender)
    user = User.objects.get()
    key = second_factor.secret(second_factor.begin(user)).replace(" ", "")
    spare = second_factor.confirm(user, f"{totp(b32decode(key + '=' * (-len(key) % 8))):06}")[0]
    client = phone()

    assert there_and_back(client, pretender, way_in(client))["Location"] == "/my/sign-in/code"
    assert not is_in(client)
    assert client.post("/my/sign-in/code", {"code": spare})["Location"] == "/"
    assert b"login.example.test/logout" in client.post("/my/sign-out").content


def test_a_provider_without_sign_out_is_left_as_ever(pretender: Pretender, provider: IdentityProvider) -> None:
    pretender.metadata = {"end_session_endpoint": None}

    assert signed_in(pretender).post("/my/sign-out")["Location"] == "/"


def down(pretender: Pretender) -> None:
    pretender.is_down = True


def says_no(pretender: Pretender) -> None:
    pretender.says_no = "access_denied"


def lies(pretender: Pretender) -> None:
    pretender.changed = lambda claims: claims | {"nonce": "another"}


def a_stranger(pretender: Pretender) -> None:
    IdentityProvider.objects.update(creates_people=False)
    pretender.person = {"sub": "s-eve", "preferred_username": "eve", "groups": ["Staff"]}


def without_role(pretender: Pretender) -> None:
    user = people.arrive(IdentityProvider.objects.get(), Claimed(subject="s-anna", user_id="anna"))
    roles.remove(user, [Role.PORTAL], actor="test")
    pretender.person["groups"] = []


@pytest.mark.parametrize(
    ("door", "obstacle", "status", "sentence", "code"),
    [
        ("/my/sign-in", down, 503, "cannot be reached", "E-221"),
        ("/my/sign-in", lies, 403, "could not be trusted", "E-222"),
        ("/my/sign-in", a_stranger, 403, "not known here", "E-225"),
        ("/my/sign-in", without_role, 403, "may not use the user portal", ""),
        ("/go", down, 503, "cannot be reached", "E-221"),
        ("/go", says_no, 403, "did not let you in", "E-223"),
        ("/go", a_stranger, 403, "Ask your administrator", "E-225"),
    ],
)
def test_why_nobody_came_in(
    pretender: Pretender,
    provider: IdentityProvider,
    door: str,
    obstacle: Callable[[Pretender], None],
    status: int,
    sentence: str,
    code: str,
) -> None:
    """On the page with a code that stands in the enrollment log, as after a sign-in on a device."""
    switch("registration.requirement", "identity_provider")
    client = phone("Mozilla/5.0 (iPad; CPU OS 18_2 like Mac OS X)")
    gone = client.get(way_in(client, door))["Location"]
    if obstacle is not down:
        obstacle(pretender)
    answer = pretender.handle_request(httpx2.Request("GET", gone))
    obstacle(pretender)
    back = urlsplit(answer.headers["Location"])

    page = client.get(back.path, dict(parse_qsl(back.query)))

    assert (page.status_code, sentence in page.content.decode()) == (status, True)
    assert way_in(client, door)
    assert not is_in(client)
    attempts = Attempt.objects.values_list("last_code", "identifier", "model_family", "steps__details__where")
    named = "eve" if obstacle is a_stranger else ""
    assert [*attempts] == ([(code, named, "iPad", door)] if code else [])
    assert (f"<code>{code}</code>" in page.content.decode()) is bool(code)


def test_a_callback_of_another_browser_leads_nowhere(pretender: Pretender, provider: IdentityProvider) -> None:
    mallory, anna = phone(), phone()
    gone = mallory.get(way_in(mallory))["Location"]
    back = urlsplit(pretender.handle_request(httpx2.Request("GET", gone)).headers["Location"])

    refused = anna.get(back.path, dict(parse_qsl(back.query)))
    assert (refused.status_code, b"E-206" in refused.content) == (403, True)
    assert not is_in(anna)
    portal = f"/admin/sign-in/provider/{provider.pk}/callback"
    assert mallory.get(portal, dict(parse_qsl(back.query))).status_code == 403, "nor does one for another door"


def test_only_those_for_the_user_portal_are_offered(pretender: Pretender) -> None:
    for name, changes in (("Admins", {"for_self": False}), ("Off", {"is_enabled": False}), ("On", {})):
        row = far.row(name=name, **changes)
        client = phone()
        assert (f"Sign in with {name}" in client.get("/my/sign-in").content.decode()) is (name == "On")
        assert client.get(f"/my/sign-in/provider/{row.pk}").status_code == (302 if name == "On" else 403)


@pytest.fixture
def wiping(house: House, pretender: Pretender, provider: IdentityProvider) -> tuple[Client, str, str]:
    """Somebody who wants to erase their device: their browser, the page, and what is to be typed there."""
    client = signed_in(pretender)
    switch("registration.requirement", "pin")
    device = house.device()
    device.enroll(pin=registration.issue_pin(User.objects.get(), actor="test"))
    device.connect()
    house.work()
    record = record_of(device)
    return client, f"/my/devices/{record.uuid}/wipe", record.device_name


def test_before_a_wipe_they_are_asked_at_the_provider(wiping: tuple[Client, str, str], pretender: Pretender) -> None:
    client, page, name = wiping
    first = client.get(page).content.decode()
    assert 'name="typed"' not in first, "a sign-in there may have been hours ago"
    assert client.post(page, {"typed": name}).status_code == 422

    found = re.search(r'href="(/my/confirm[^"]+)"', first)
    assert found is not None
    back = there_and_back(client, pretender, html.unescape(found[1]))

    assert (pretender.asked[-1]["prompt"], pretender.asked[-1]["max_age"]) == ("login", "0")
    assert back["Location"] == page
    form = client.get(page).content.decode()
    assert 'name="typed"' in form
    assert 'type="password"' not in form
    assert client.post(page, {"typed": name}).status_code == 302
    assert Command.objects.filter(request_type="EraseDevice").exists()


def somebody_else(pretender: Pretender) -> None:
    pretender.person = {"sub": "s-bob", "preferred_username": "bob", "groups": ["Staff"]}


def nobody_was_asked(pretender: Pretender) -> None:
    pretender.changed = lambda claims: claims | {"auth_time": claims["auth_time"] - 3600}


@pytest.mark.parametrize("trick", [somebody_else, nobody_was_asked])
def test_a_confirmation_that_is_none(
    wiping: tuple[Client, str, str], pretender: Pretender, trick: Callable[[Pretender], None]
) -> None:
    client, page, name = wiping
    trick(pretender)

    assert there_and_back(client, pretender, f"/my/confirm?next={page}").status_code == 403
    assert client.post(page, {"typed": name}).status_code == 422
    assert not Command.objects.filter(request_type="EraseDevice").exists()


def test_a_confirmation_holds_for_five_minutes_and_a_provider_that_is_off_gives_none(
    wiping: tuple[Client, str, str], pretender: Pretender, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, page, name = wiping
    there_and_back(client, pretender, f"/my/confirm?next={page}")
    monkeypatch.setattr(self_sign_in, "CONFIRMED_SECONDS", 0)
    assert client.post(page, {"typed": name}).status_code == 422

    IdentityProvider.objects.update(is_enabled=False)
    assert "is switched off just now" in client.get(page).content.decode()
    assert client.get(f"/my/confirm?next={page}").status_code == 403


def test_who_signed_in_with_a_password_is_sent_nowhere(house: House, pretender: Pretender) -> None:
    far.row()
    person()
    client = phone()
    enter(client)

    assert client.get("/my/confirm?next=/my/password")["Location"] == "/my/password"
    assert client.post("/my/sign-out")["Location"] == "/"


def test_web_registration_asks_at_the_provider_and_signs_nobody_in(
    house: House, pretender: Pretender, provider: IdentityProvider
) -> None:
    """Over the privacy page to the address to type; also for who may not use the user portal."""
    switch("registration.requirement", "identity_provider")
    switch("registration.privacy_page", "on")
    GroupRole.objects.exclude(key=Role.ADDE).delete()
    client = phone("Mozilla/5.0 (iPhone; CPU iPhone OS 18_2 like Mac OS X)")

    back = there_and_back(client, pretender, way_in(client, "/go"))

    assert back["Location"] == "/go"
    roles.remove(User.objects.get(), [Role.PORTAL], actor="test")
    text = client.get("/go").content.decode()
    assert "Your Privacy Matters" in text
    sent = {name: re.search(rf'name="{name}" value="([^"]+)"', text) for name in ("ticket", "policy")}
    done = client.post("/go", {name: html.unescape(found[1]) for name, found in sent.items() if found})
    assert f"anna@{HOST}" in done.content.decode()
    assert User.objects.get().acceptances.count() == 1
    assert not is_in(client)


def test_web_registration_refuses_who_may_not_enroll_with_the_code_of_the_log(
    house: House, pretender: Pretender, provider: IdentityProvider
) -> None:
    switch("registration.requirement", "identity_provider")
    GroupRole.objects.filter(key=Role.ADDE).delete()
    client = phone()
    there_and_back(client, pretender, way_in(client, "/go"))

    page = client.get("/go")

    assert page.status_code == 403
    assert Attempt.objects.get().last_code in page.content.decode()


def test_web_registration_without_a_provider_for_it_says_what_to_do(house: House, pretender: Pretender) -> None:
    switch("registration.requirement", "identity_provider")
    far.row(for_self=False)

    assert "How to enroll" in phone().get("/go").content.decode()
