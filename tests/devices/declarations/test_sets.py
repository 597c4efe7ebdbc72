"""What a channel is given, from the administrator's word to the manifest, and that it is told once."""

import plistlib
from typing import Any

import pytest

from devices.models import (
    Declaration,
    DeclarationSet,
    Device,
    Enrollment,
)
from devices.services import declaration_sets, declarations, declarative
from devices.services.declaring import activation_of
from tests.devices.declarations.rows import (
    PASSCODE,
    announcements,
    channel,
    iphone,
    report,
    set_of,
    synchronize,
    work,
)
from tests.devices.services.rows import NOW, channel_of, device_of, enrolled

pytestmark = pytest.mark.django_db

AAUE = Enrollment.Kind.AAUE
MACOS = Device.Platform.MACOS
OWN = {"epmm.organization", "epmm.properties", "epmm.status", activation_of("epmm.status")}
MAIL = "com.apple.configuration.account.mail"


def put(identifier: str = "passcode", type_: str = PASSCODE, payload: Any = None, **options: Any) -> Declaration:
    return declarations.put(
        identifier, type_, {"MinimumLength": 6} if payload is None else payload, actor="anna", **options
    )


def give(device: Device, identifier: str = "passcode", **options: Any) -> None:
    declarations.assign(identifier, [device], actor="anna", **options)
    work()


# --- Switching on -----------------------------------------------------------------------------------------------------


def test_a_new_device_is_told_with_the_token_it_will_find() -> None:
    enrollment = enrolled(os_version="18.2")

    declarative.switch_on(enrollment)

    (command,) = announcements(device_of(enrollment))
    data = plistlib.loads(command.rendered)["Command"]["Data"]
    assert data == declarative.tokens(channel_of(enrollment))
    declarative.switch_on(enrollment)
    assert announcements(device_of(enrollment)) == [command]


@pytest.mark.parametrize(
    ("platform", "version", "able"),
    [
        (Device.Platform.IOS, "14.8", False),
        (Device.Platform.IOS, "15.0", True),
        (Device.Platform.MACOS, "12.7.1", False),
        (Device.Platform.MACOS, "13", True),
        (Device.Platform.VISIONOS, "1.0", False),
        (Device.Platform.VISIONOS, "2.0", True),
    ],
)
def test_only_systems_that_can_are_asked(platform: Device.Platform, version: str, able: bool) -> None:  # noqa: FBT001
    enrollment = enrolled(platform=platform, os_version=version)

    declarative.switch_on(enrollment)

    assert len(announcements(device_of(enrollment))) == int(able)
    assert DeclarationSet.objects.count() == int(able)


def test_who_comes_later_is_found(phone: Device) -> None:
    late = enrolled(platform=MACOS, os_version="15.2", os_version_number=15_002_000, inventory_at=NOW, udid="late")
    declarative.switch_on(late)
    channel_of(late, "user")
    updated = enrolled(os_version="15.1", os_version_number=15_001_000, inventory_at=NOW, udid="updated")
    enrolled(os_version="14.1", os_version_number=14_001_000, inventory_at=NOW, udid="old")
    enrolled(os_version="18.1", os_version_number=18_001_000, udid="not known yet")

    declarative.tidy()

    assert [len(announcements(device_of(late), key)) for key in ("", "user")] == [1, 1]
    assert len(announcements(device_of(updated))) == 1
    assert DeclarationSet.objects.count() == 4


# --- What is in a set -------------------------------------------------------------------------------------------------


def test_every_device_gets_what_is_epmms_own(phone: Device) -> None:
    held = synchronize(channel(phone))

    assert held.keys() == OWN
    assert held["epmm.organization"]["Payload"] == {"Name": "EPMM"}
    assert held["epmm.properties"]["Payload"] == {"enrollment": "adde", "organization": "EPMM"}
    assert held[activation_of("epmm.status")]["Payload"] == {"StandardConfigurations": ["epmm.status"]}
    names = {item["Name"] for item in held["epmm.status"]["Payload"]["StatusItems"]}
    assert {"softwareupdate.install-state", "device.operating-system.version"} <= names


def test_a_configuration_has_an_activation_of_its_own(phone: Device) -> None:
    put(predicate="(@status(device.model.family) == 'iPhone')")
    give(phone)

    held = synchronize(channel(phone))

    assert held["passcode"]["Payload"] == {"MinimumLength": 6}
    assert held[activation_of("passcode")]["Payload"] == {
        "StandardConfigurations": ["passcode"],
        "Predicate": "(@status(device.model.family) == 'iPhone')",
    }


def test_an_activation_of_an_administrator_takes_the_place_of_ours(phone: Device) -> None:
    put()
    put("both", "com.apple.activation.simple", {"StandardConfigurations": ["passcode"]})
    give(phone)
    give(phone, "both")

    assert synchronize(channel(phone)).keys() == OWN | {"passcode", "both"}


def test_an_administrators_organization_takes_the_place_of_ours(phone: Device) -> None:
    put("ours", "com.apple.management.organization-info", {"Name": "Example"})
    give(phone, "ours")

    held = synchronize(channel(phone))

    assert held["ours"]["Payload"] == {"Name": "Example"}
    assert "epmm.organization" not in held


def test_what_the_device_says_it_cannot_is_left_out_and_told(phone: Device) -> None:
    put()
    give(phone)
    types = {
        "configurations": ["com.apple.configuration.management.status-subscriptions"],
        "activations": ["com.apple.activation.simple"],
    }
    capabilities = {"supported-payloads": {"declarations": types, "status-items": ["passcode.is-present"]}}

    report(channel(phone), {"management": {"client-capabilities": capabilities}})

    held = synchronize(channel(phone))
    assert held.keys() == {"epmm.status", activation_of("epmm.status")}
    assert held["epmm.status"]["Payload"] == {"StatusItems": [{"Name": "passcode.is-present"}]}
    assert set_of(phone).unsupported == {"passcode": f"{PASSCODE} is not supported by this device."}


def test_a_mac_and_its_users_hold_what_is_meant_for_them(mac: Device) -> None:
    put()
    put("mail", MAIL, {"HostName": "a"})
    put("more", payload={"MinimumLength": 8})
    give(mac)
    give(mac, "mail")  # goes to users only
    give(mac, "more", for_users=True)

    device, user = synchronize(channel(mac)), synchronize(channel(mac, "user"))

    assert {"passcode"} == device.keys() - OWN - {activation_of("passcode")}
    assert {"mail", "more"} == user.keys() - OWN - {activation_of("mail"), activation_of("more")}
    assert set_of(mac).token != set_of(mac, "user").token


def test_a_users_own_device_is_not_asked_who_it_is() -> None:
    own = iphone(kind=AAUE)

    names = {item["Name"] for item in synchronize(channel(own))["epmm.status"]["Payload"]["StatusItems"]}

    assert not {"device.identifier.udid", "device.identifier.serial-number", "softwareupdate.install-state"} & names


def test_what_was_stored_when_less_was_known_stops_nobody(phone: Device) -> None:
    put()
    give(phone)
    Declaration.objects.update(payload={"MinimumLength": 99})

    declaration_sets.refresh([channel(phone).pk], announce=True)

    assert synchronize(channel(phone)).keys() == OWN
    assert "0 to 16" in set_of(phone).unsupported["passcode"]
