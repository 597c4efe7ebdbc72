"""The same with a provider that others wrote: LemonLDAP::NG, over real TLS."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from lxml import html

from devices.models import Device
from enrollment.simulator.hardware import Family
from tests.flows.house import FAMILIES, HOST, PORT, House, record_of, switch
from tests.flows.test_providers import Roads
from tests.providers import lemonldap
from tests.providers.lemonldap import PERSON, Lemonldap
from users.models import AdminRole, Group, GroupRole, IdentityProvider, Role, User
from users.protocol.claims import Claimed
from users.services import administrators
from users.services.oidc import known, people

pytestmark = pytest.mark.service("lemonldap")
OURS = f"https://{HOST}:{PORT}"
NUMBER = 7


@pytest.fixture(scope="module")
def provider_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lemonldap]:
    redirects = [f"{OURS}/enroll/provider/{NUMBER}/callback", f"{OURS}/admin/sign-in/provider/{NUMBER}/callback"]
    with lemonldap.running(tmp_path_factory.mktemp("lemonldap"), redirects, [f"{OURS}/admin/sign-in"]) as running:
        yield running


@pytest.fixture
def provider(house: House, provider_process: Lemonldap, settings: Any) -> Iterator[IdentityProvider]:
    settings.OUTBOUND_NETWORKS, settings.OUTBOUND_CA = ["127.0.0.0/8", "::1"], provider_process.ca
    switch("registration.requirement", "identity_provider")
    known.forget()
    row = IdentityProvider.objects.create(pk=NUMBER, name="LemonLDAP", **provider_process.registration)
    group = Group.objects.create(provider=row, external_id=lemonldap.GROUPS[0], name="Time lords")
    GroupRole.objects.create(group=group, key=Role.ADDE, granted_by="test")
    yield row
    known.forget()


def real(ca: Path) -> httpx2.BaseTransport:
    context = ssl.create_default_context()
    context.load_verify_locations(ca)
    return httpx2.HTTPTransport(verify=context, trust_env=False)


@pytest.mark.parametrize("family", FAMILIES)
def test_somebody_of_the_real_provider_enrolls_twice(
    house: House, provider: IdentityProvider, provider_process: Lemonldap, family: Family
) -> None:
    roads = Roads(house.transport, real(provider_process.ca))
    device = house.device(family, f"{PERSON}@{HOST}", transport=roads)

    for _ in range(2):
        device.forget()
        device.discover()
        device.request_challenge()
        device.sign_in(user=PERSON, password=PERSON)
        device.fetch_profile()
        device.sign_in_with_apple()
        device.get_identity()
        device.authenticate()
        for channel in device.membership.channels:
            device.token_update(channel)
        record = record_of(device)
        assert record.status == Device.Status.ACTIVE
        device.check_out()

    person = User.objects.get()
    assert (person.user_id, person.full_name, person.email) == (PERSON, "Doctor Who", "dwho@badwolf.org")
    assert person.managed_apple_account == f"{PERSON}@{HOST}"
    assert person.directory_entry.attributes["groups"] == sorted(lemonldap.GROUPS)
    assert Device.objects.count() == 1


def test_an_administrator_signs_in_confirms_and_signs_out(
    house: House, provider: IdentityProvider, provider_process: Lemonldap
) -> None:
    """By the forms of both, as a browser sends them."""
    visitor = httpx2.Client(
        transport=Roads(house.transport, real(provider_process.ca)), headers={"Origin": OURS}, timeout=30
    )
    user = people.arrive(provider, Claimed(subject=PERSON, user_id=PERSON))
    administrators.set_roles(user, AdminRole.values, actor="test")

    page = visitor.get(f"{OURS}/admin/sign-in")
    token = found(page, "//form[contains(@action, 'provider')]//input/@value")
    going = visitor.post(f"{OURS}/admin/sign-in/provider/{NUMBER}", data={"csrfmiddlewaretoken": token})
    assert typed_at(visitor, way_on(going)).headers["Location"] == "/admin/"
    assert visitor.get(f"{OURS}/admin/users").status_code == 200

    there = visitor.get(f"{OURS}/admin/confirm/provider", params={"next": "/admin/users"})
    back = typed_at(visitor, there.headers["Location"])  # the password again, though its session goes on
    assert back.headers["Location"] == "/admin/users"

    page = visitor.get(f"{OURS}/admin/users")
    token = found(page, "//form[contains(@action, 'sign-out')]//input/@value")
    out = visitor.post(f"{OURS}/admin/sign-out", data={"csrfmiddlewaretoken": token})
    assert visitor.get(way_on(out)).headers["Location"] == f"{OURS}/admin/sign-in"
    assert visitor.get(f"{OURS}/admin/users").status_code == 302


def read(page: httpx2.Response) -> Any:
    return html.fromstring(page.text)


def found(page: httpx2.Response, path: str) -> str:
    return str(read(page).xpath(path)[0])


def way_on(page: httpx2.Response) -> str:
    content = found(page, "//meta[@http-equiv='refresh']/@content")
    return content.partition("url=")[2]


def typed_at(visitor: httpx2.Client, address: str) -> httpx2.Response:
    """From the provider's form to our answer to its callback."""
    page = visitor.get(address)
    form = read(page).forms[0]
    hidden = {name: value or "" for name, value in form.form_values() if name not in {"user", "password"}}
    answer = visitor.post(str(page.url), data=hidden | {"user": PERSON, "password": PERSON})
    while answer.has_redirect_location and not answer.headers["Location"].startswith(OURS):
        answer = visitor.get(answer.url.join(answer.headers["Location"]))
    return visitor.get(answer.headers["Location"])
