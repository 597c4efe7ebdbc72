"""The same with a provider that others wrote: LemonLDAP::NG, over real TLS."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from devices.models import Device
from enrollment.simulator.hardware import Family
from tests.flows.house import FAMILIES, HOST, PORT, House, record_of, switch
from tests.flows.test_providers import Roads
from tests.providers import lemonldap
from tests.providers.lemonldap import PERSON, Lemonldap
from users.models import Group, GroupRole, IdentityProvider, Role, User
from users.services.oidc import known

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
