"""What a channel is given, from the administrator's word to the manifest, and that it is told once."""

import json
import plistlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.errors import DeclarationGone
from devices.models import (
    Declaration,
    DeclarationAssignment,
    DeclarationContent,
    DeclarationSet,
    Device,
    Enrollment,
    Manifest,
)
from devices.protocol.declarations import DeclarationKind
from devices.services import declaration_sets, declarations, declarative, retire
from devices.services.declarations import DeclarationRefused
from devices.services.declaring import activation_of
from epmm import settings_store
from epmm.models import AuditEntry, Job
from tests.devices.declarations.rows import (
    ENFORCE,
    PASSCODE,
    announcements,
    answer_commands,
    channel,
    fetch,
    iphone,
    report,
    set_of,
    switch_on,
    synchronize,
    work,
)
from tests.devices.services.rows import NOW, channel_of, device_of, enrolled

pytestmark = pytest.mark.django_db

AAUE = Enrollment.Kind.AAUE
MACOS = Device.Platform.MACOS
OWN = {"epmm.organization", "epmm.properties", "epmm.status", activation_of("epmm.status")}
MAIL = "com.apple.configuration.account.mail"


@pytest.fixture
def phone() -> Device:
    return iphone()


@pytest.fixture
def mac() -> Device:
    enrollment = enrolled(platform=MACOS, os_version="15.2", os_version_number=15_002_000)
    channel_of(enrollment, "user")
    switch_on(enrollment)
    return device_of(enrollment)


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


# --- Changes and races ------------------------------------------------------------------------------------------------


def test_a_change_is_told_once(phone: Device) -> None:
    put()
    give(phone)
    assert len(announcements(phone)) == 1
    put(payload={"MinimumLength": 7})
    work()
    assert len(announcements(phone)) == 1

    assert synchronize(channel(phone))["passcode"]["Payload"] == {"MinimumLength": 7}
    answer_commands()
    put(payload={"MinimumLength": 7})
    work()
    report(channel(phone))
    declarative.tidy()
    assert announcements(phone) == []


def test_any_change_changes_the_token(phone: Device) -> None:
    put()
    give(phone)
    seen = [set_of(phone).token]
    for change in (
        lambda: put(payload={"MinimumLength": 7}),
        lambda: put(payload={"MinimumLength": 7}, predicate="TRUEPREDICATE"),
        lambda: declarations.unassign("passcode", [phone], actor="anna"),
    ):
        change()
        work()
        seen.append(set_of(phone).token)

    assert len(set(seen)) == 4


def test_what_changes_between_manifest_and_declaration_is_served_as_it_was(phone: Device) -> None:
    put()
    put("gone", payload={"MinimumLength": 5})
    give(phone)
    give(phone, "gone")
    declarative.tokens(channel(phone))
    manifest = json.loads(declarative.manifest(channel(phone)))
    answer_commands()

    put(payload={"MinimumLength": 7})
    declarations.remove("gone", actor="anna")
    work()

    held = fetch(channel(phone), manifest)
    assert (held["passcode"]["Payload"], held["gone"]["Payload"]) == ({"MinimumLength": 6}, {"MinimumLength": 5})
    assert len(announcements(phone)) == 1
    held = synchronize(channel(phone))
    assert (held["passcode"]["Payload"], "gone" in held) == ({"MinimumLength": 7}, False)
    with pytest.raises(DeclarationGone):
        declarative.declaration(channel(phone), DeclarationKind.CONFIGURATION, "gone")


def test_what_changes_between_tokens_and_manifest_is_told_afterwards(phone: Device) -> None:
    """The device is at work on the command: a second one is not queued while that is open."""
    put()
    give(phone)
    tokens = json.loads(declarative.tokens(channel(phone)))["SyncTokens"]
    put(payload={"MinimumLength": 7})
    work()

    manifest = json.loads(declarative.manifest(channel(phone)))
    assert manifest["DeclarationsToken"] == tokens["DeclarationsToken"]
    answer_commands()
    report(channel(phone))

    (command,) = announcements(phone)
    data = json.loads(plistlib.loads(command.rendered)["Command"]["Data"])
    assert data["SyncTokens"]["DeclarationsToken"] == set_of(phone).token != tokens["DeclarationsToken"]


def test_tokens_that_are_no_news_hold_nothing_back(phone: Device) -> None:
    put()
    declarative.tokens(channel(phone))  # the device has them already, and asks no further
    give(phone)

    manifest = json.loads(declarative.manifest(channel(phone)))

    assert manifest["DeclarationsToken"] == set_of(phone).token
    assert "passcode" in fetch(channel(phone), manifest)


def test_an_offer_does_not_stand_for_ever(phone: Device) -> None:
    put()
    give(phone)
    declarative.tokens(channel(phone))
    put(payload={"MinimumLength": 7})
    work()
    DeclarationSet.objects.update(offered_at=timezone.now() - declarative.OFFER_STANDS)

    manifest = json.loads(declarative.manifest(channel(phone)))

    assert manifest["DeclarationsToken"] == set_of(phone).token


def test_a_device_that_missed_its_command_is_found(phone: Device) -> None:
    put()
    give(phone)
    answer_commands()  # and never came for its declarations

    declarative.tidy()
    assert len(announcements(phone)) == 1
    answer_commands()
    DeclarationSet.objects.update(heard_at=timezone.now() - timedelta(days=1))
    declarative.tidy()
    assert announcements(phone) == []  # not again and again
    DeclarationSet.objects.update(asked_at=timezone.now() - timedelta(days=1))
    declarative.tidy()
    assert len(announcements(phone)) == 1


def test_a_device_may_ask_for_the_manifest_first() -> None:
    enrollment = enrolled(os_version="18.2")

    manifest = json.loads(declarative.manifest(channel_of(enrollment)))

    assert fetch(channel_of(enrollment), manifest).keys() == OWN


def test_a_device_that_was_never_told_anything_has_no_declaration() -> None:
    with pytest.raises(DeclarationGone):
        declarative.declaration(channel_of(enrolled()), DeclarationKind.CONFIGURATION, "epmm.status")


def test_an_ended_enrollment_is_told_nothing(phone: Device) -> None:
    put()
    declarations.assign("passcode", [phone], actor="anna")
    retire.end_enrollment(phone.enrollments.get(), reason="test", now=NOW)

    work()

    assert announcements(phone) == []


# --- Administrators ---------------------------------------------------------------------------------------------------


def test_what_was_done_is_audited_without_the_payload(phone: Device) -> None:
    put()
    declarations.assign("passcode", [phone], actor="anna")
    declarations.unassign("passcode", [phone], actor="anna")
    declarations.remove("passcode", actor="anna")

    entries = list(AuditEntry.objects.order_by("pk"))
    assert [(entry.action, entry.actor, entry.subject) for entry in entries] == [
        (f"declaration.{what}", "anna", "passcode") for what in ("set", "assigned", "unassigned", "removed")
    ]
    assert "MinimumLength" not in str([entry.details for entry in entries])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"identifier": "epmm.mine"}, "the server's own"),
        ({"identifier": "a/b"}, "1 to 64 letters"),
        ({"type_": "nonsense"}, "There is no declaration nonsense"),
        ({"payload": {"MinimumLength": 99}}, "0 to 16"),
        ({"payload": []}, "Payload is a dictionary."),
        ({"type_": MAIL, "payload": {"HostName": "\ud800"}}, "no room for"),
        ({"type_": MAIL, "payload": {"Port": float("nan")}}, "no room for"),
        ({"type_": MAIL, "payload": {"a": {1}}}, "no room for"),
        ({"type_": "com.apple.configuration.legacy"}, "takes the profile itself"),
        ({"type_": "com.apple.management.properties", "payload": {}, "predicate": "x"}, "goes with a configuration"),
    ],
)
def test_what_cannot_be_declared_changes_nothing(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DeclarationRefused, match=sentence):
        put(**options)

    assert not Declaration.objects.exists()
    assert not AuditEntry.objects.exists()


def test_an_identifier_keeps_its_type() -> None:
    put()

    with pytest.raises(DeclarationRefused, match="Remove it first"):
        put(type_="com.apple.management.properties")


def test_a_declaration_that_is_being_removed_is_no_more(phone: Device) -> None:
    put()
    give(phone)
    declarations.remove("passcode", actor="anna")

    with pytest.raises(DeclarationRefused, match="is being removed"):
        put()
    with pytest.raises(DeclarationRefused, match="There is no declaration passcode"):
        declarations.assign("passcode", [phone], actor="anna")
    work()
    assert not Declaration.objects.exists()
    assert synchronize(channel(phone)).keys() == OWN
    put()


def test_one_device_that_cannot_and_none_is_assigned(phone: Device) -> None:
    old = iphone(os_version="16.0", udid="old", device_name="Old phone")
    put("update", ENFORCE, {"TargetOSVersion": "18.3", "TargetLocalDateTime": "2026-12-01T20:00:00"})

    with pytest.raises(DeclarationRefused, match=r"Old phone: .* needs iOS 17\.0; this device has 16\.0\."):
        declarations.assign("update", [phone, old], actor="anna")

    assert not DeclarationAssignment.objects.exists()


def test_a_device_without_management_cannot_be_assigned_anything(phone: Device) -> None:
    put()
    retire.end_enrollment(phone.enrollments.get(), reason="test", now=NOW)

    with pytest.raises(DeclarationRefused, match="not under management"):
        declarations.assign("passcode", [phone], actor="anna")


def test_only_what_is_assigned_can_be_taken_away(phone: Device) -> None:
    put()

    with pytest.raises(DeclarationRefused, match="is not assigned to S1"):
        declarations.unassign("passcode", [phone], actor="anna")


def test_an_update_is_enforced_on_an_unsupervised_phone(phone: Device) -> None:
    declarations.enforce_update(phone, version="18.3", by="2026-12-01T20:00:00", actor="anna")
    declarations.enforce_update(phone, version="18.4", by="2026-12-24T20:00:00", actor="anna")
    work()

    held = synchronize(channel(phone))[f"softwareupdate.{phone.uuid}"]
    assert (held["Type"], held["Payload"]) == (
        ENFORCE,
        {"TargetOSVersion": "18.4", "TargetLocalDateTime": "2026-12-24T20:00:00"},
    )


def test_an_update_cannot_be_enforced_on_a_users_own_phone() -> None:
    with pytest.raises(DeclarationRefused, match="a user's own"):
        declarations.enforce_update(iphone(kind=AAUE), version="18.3", by="2026-12-01T20:00:00", actor="anna")

    assert not Declaration.objects.exists()


# --- Many devices -----------------------------------------------------------------------------------------------------


def fleet(size: int) -> list[Device]:
    return [iphone(udid=f"phone {number}", device_name=f"phone {number}") for number in range(size)]


def test_a_change_reaches_many_devices_in_pieces_and_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declarations, "CHUNK", 2)
    devices = fleet(5)
    put()
    declarations.assign("passcode", devices, actor="anna")
    work()
    answer_commands()
    row = put(payload={"MinimumLength": 7})

    declarations.spread_change(row.pk)
    declarations.spread_change(row.pk)  # the worker was killed before it could say that it was done

    assert [len(announcements(device)) for device in devices] == [1, 1, 0, 0, 0]
    assert Job.objects.open().filter(kind=declarations.CHANGED, arguments__after__gt=0).count() == 1
    work()
    assert [len(announcements(device)) for device in devices] == [1] * 5

    declarations.remove("passcode", actor="anna")
    work()
    assert not Declaration.objects.exists()


def test_every_channel_is_looked_at_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(declarations, "CHUNK", 2)
    devices = fleet(3)
    Device.objects.update(os_version="15.1")

    declarations.refresh_all()
    work()

    assert [len(announcements(device)) for device in devices] == [1] * 3
    names = {item["Name"] for item in synchronize(channel(devices[0]))["epmm.status"]["Payload"]["StatusItems"]}
    assert "softwareupdate.install-state" not in names


def test_devices_that_hold_the_same_share_it() -> None:
    fleet(3)

    assert Manifest.objects.count() == 1
    assert DeclarationContent.objects.count() == len(OWN)


def test_what_nobody_has_held_for_a_month_is_forgotten(phone: Device) -> None:
    put()
    give(phone)
    old = Manifest.objects.exclude(pk=set_of(phone).token).get()
    long_ago = timezone.now() - declaration_sets.KEPT - timedelta(days=1)
    Manifest.objects.update(used_at=long_ago)
    DeclarationContent.objects.update(used_at=long_ago)
    assert set_of(phone).served_token == old.pk

    declarations.refresh_all()  # the phone was told of neither yet: both may still be asked for

    assert Manifest.objects.count() == 2
    synchronize(channel(phone))
    Manifest.objects.update(used_at=long_ago)
    DeclarationContent.objects.update(used_at=long_ago)
    DeclarationContent.objects.create(server_token="nobody's", body=b"", used_at=long_ago)
    declarations.refresh_all()
    assert [row.pk for row in Manifest.objects.all()] == [set_of(phone).token]
    assert DeclarationContent.objects.count() == len(OWN) + 2


def statements(devices: list[Device]) -> int:
    channels = [channel(device).pk for device in devices]
    settings_store.clear_cache()
    with CaptureQueriesContext(connection) as captured:
        declaration_sets.refresh(channels, announce=True)
    return len(captured)


def test_looking_at_many_channels_costs_what_few_do() -> None:
    few = statements(fleet(2))

    assert statements([iphone(udid=f"more {number}") for number in range(12)]) == few <= 14
