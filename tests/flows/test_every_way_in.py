"""Whoever people are and whatever is asked for, on each device, the first time and again.

Each ends with an active device or in the one right refusal with its code.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from devices.models import Device, Enrollment
from enrollment import reasons
from enrollment.models import Attempt
from enrollment.reasons import Reason
from enrollment.simulator.hardware import Family
from enrollment.simulator.refusal import TurnedAway
from tests import directories
from tests.directories import Slapd
from tests.flows.house import FAMILIES, HOST, House, credentials, person, record_of, switch
from tests.flows.test_providers import Roads
from tests.providers import pretender as far
from tests.providers.pretender import Pretender
from users.models import Group, GroupRole, IdentityProvider, Role, User
from users.protocol.claims import Claimed
from users.services.directory import client, groups, sync
from users.services.oidc import people

WAYS: Final = ("password", "pin", "password_and_pin", "identity_provider")
REFUSED: Final[dict[tuple[str, str], Reason]] = {
    ("local", "identity_provider"): reasons.NOT_KNOWN_HERE,
    ("oidc", "password"): reasons.WRONG_CREDENTIALS,
    ("oidc", "password_and_pin"): reasons.WRONG_CREDENTIALS,
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    with directories.running(tmp_path_factory.mktemp("slapd")) as running:
        running.add_group("staff", [running.add_person("anna")])
        yield running


@pytest.fixture
def pretender(house: House) -> Iterator[Pretender]:
    with far.in_place() as made:
        made.person |= {"groups": ["Staff"], "account": f"anna@{HOST}"}
        yield made


@pytest.fixture
def provider(pretender: Pretender) -> IdentityProvider:
    row = far.row(account_claim="account")
    staff = Group.objects.create(provider=row, external_id="Staff", name="Staff")
    GroupRole.objects.create(group=staff, key=Role.ADDE, granted_by="test")
    return row


def local(_: pytest.FixtureRequest, __: IdentityProvider) -> None:
    person()


def ldap(request: pytest.FixtureRequest, provider: IdentityProvider) -> None:
    """The provider speaks for the directory: who comes from there is the person of the directory."""
    client.forget_failures()
    directory = directories.directory(request.getfixturevalue("server"))
    with client.connected(directory) as connection:
        staff = groups.choose(connection, f"cn=staff,{directories.GROUPS}", Group.Kind.GROUP, actor="test")
    assert staff is not None
    staff.roles.create(key=Role.ADDE, granted_by="test")
    sync.run(directory)
    provider.directory = directory
    provider.save()


def oidc(_: pytest.FixtureRequest, provider: IdentityProvider) -> None:
    people.arrive(
        provider, Claimed(subject="s-anna", user_id="anna", groups=frozenset({"Staff"}), account=f"anna@{HOST}")
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("source", [local, pytest.param(ldap, marks=pytest.mark.service("slapd")), oidc])
def test_a_device_is_active_or_its_person_knows_why_not(
    house: House,
    pretender: Pretender,
    provider: IdentityProvider,
    request: pytest.FixtureRequest,
    source: Callable[[pytest.FixtureRequest, IdentityProvider], None],
    way: str,
    family: Family,
) -> None:
    source(request, provider)
    switch("registration.requirement", way)
    anna = User.objects.get()
    device = house.device(family, transport=Roads(house.transport, pretender))
    reason = REFUSED.get((source.__name__, way))

    for _time in ("first", "again"):
        typed: dict[str, Any] = {"password": far.PASSWORD} if way == "identity_provider" else credentials(way, anna)
        if reason is not None:
            with pytest.raises(TurnedAway) as refused:
                device.enroll(**typed)
            assert refused.value.code == reason.code
            assert Attempt.objects.latest("pk").last_code == reason.code
            continue
        device.enroll(**typed)
        record = record_of(device)
        assert (record.status, record.user, record.managed_apple_account) == (
            Device.Status.ACTIVE,
            anna,
            f"anna@{HOST}",
        )
        device.check_out()
        house.work()

    assert User.objects.get() == anna, "one person, whichever way they come"
    assert Enrollment.objects.values("device").distinct().count() == (reason is None), "and one device"
