"""Whoever asks for less than the whole inventory learns more of what was asked for, and loses nothing else."""

from typing import Any, Final

import pytest
from pytest_django import DjangoAssertNumQueries

from devices.models import (
    Answer,
    Command,
    Device,
    Enrollment,
    FinishedCommand,
    InstalledApplication,
)
from devices.protocol import commands
from devices.protocol.commands import AnyRequest
from devices.services import broadcast, installed, queue, results
from devices.services.target import target_of
from epmm.models import Job
from tests.devices.services.rows import NOW, answered, channel_of, device_of, enrolled
from tests.devices.services.test_reading import certificate

pytestmark = pytest.mark.django_db
AAUE, MACOS = Enrollment.Kind.AAUE, Device.Platform.MACOS
APPS: Final = "InstalledApplicationList"
CHAT: Final = {"Identifier": "com.x", "Name": "Chat", "Version": "1", "BundleSize": 5, "IsValidated": True}
MAIL: Final = {"Identifier": "com.y", "Name": "Mail", "Version": "7"}


def ask(enrollment: Enrollment, request_type: str, user_key: str = "", **payload: Any) -> Command:
    channel = channel_of(enrollment, user_key)
    return queue.queue(channel, commands.by_name(request_type, payload, target_of(channel)))


def told(row: Command, **keys: Any) -> None:
    answered(row, **keys)
    results.read_results()


def apps(enrollment: Enrollment) -> list[tuple[Any, ...]]:
    rows = device_of(enrollment).applications.order_by("identifier", "version")
    return list(rows.values_list("identifier", "name", "version", "bundle_size", "details"))


@pytest.fixture
def iphone() -> Enrollment:
    """Its inventory is known."""
    made = enrolled(inventory_at=None)
    told(ask(made, "DeviceInformation"), QueryResponses={"DeviceName": "Anna's", "TimeZone": "UTC", "BatteryLevel": 1})
    told(ask(made, APPS), InstalledApplicationList=[CHAT, MAIL])
    told(ask(made, "ProfileList"), ProfileList=[{"PayloadIdentifier": name, "PayloadUUID": "1"} for name in "ab"])
    return made


@pytest.mark.parametrize("payload", [{"Identifiers": ["com.x"]}, {"ManagedAppsOnly": True}])
def test_the_apps_that_were_not_asked_for_are_still_there(iphone: Enrollment, payload: dict[str, Any]) -> None:
    told(ask(iphone, APPS, **payload), InstalledApplicationList=[CHAT | {"Version": "2"}])

    assert apps(iphone) == [("com.x", "Chat", "2", 5, {"IsValidated": True}), ("com.y", "Mail", "7", None, {})]


def test_an_app_that_is_new_comes_to_the_others(iphone: Enrollment) -> None:
    told(ask(iphone, APPS, Identifiers=["com.z"]), InstalledApplicationList=[{"Identifier": "com.z", "Name": "New"}])

    assert [name for name, *_ in apps(iphone)] == ["com.x", "com.y", "com.z"]


def test_what_was_not_asked_of_each_app_stands(iphone: Enrollment) -> None:
    items = [{"Identifier": "com.x", "Version": "2", "Installing": False}, {"Identifier": "com.z", "Version": "1"}]
    told(ask(iphone, APPS, Items=["Version", "Installing"]), InstalledApplicationList=items)

    assert apps(iphone) == [
        ("com.x", "Chat", "2", 5, {"IsValidated": True, "Installing": False}),
        ("com.y", "Mail", "7", None, {}),
        ("com.z", "", "1", None, {}),
    ]


def test_apps_without_their_identifiers_change_nothing(iphone: Enrollment) -> None:
    before = apps(iphone)
    told(ask(iphone, APPS, Items=["Version"]), InstalledApplicationList=[{"Version": "2"}, {"Version": "3"}])

    assert apps(iphone) == before


def test_many_that_changed_leave_the_others_alone(iphone: Enrollment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "MANY", 0)
    told(ask(iphone, APPS, Identifiers=["com.x"]), InstalledApplicationList=[CHAT | {"Version": "2"}])

    assert [version for _, _, version, *_ in apps(iphone)] == ["2", "7"]


def test_an_app_of_which_a_mac_has_two_is_listed_anew() -> None:
    mac = enrolled(platform=MACOS)
    told(ask(mac, APPS), InstalledApplicationList=[CHAT, CHAT | {"Version": "2"}, MAIL])
    kept = InstalledApplication.objects.get(identifier="com.x", version="2").pk
    told(ask(mac, APPS, Identifiers=["com.x"]), InstalledApplicationList=[CHAT | {"Version": "2"}])

    assert [(name, version) for name, _, version, *_ in apps(mac)] == [("com.x", "2"), ("com.y", "7")]
    assert InstalledApplication.objects.get(identifier="com.x").pk == kept


def test_managed_applications_that_were_not_asked_for_are_still_there(iphone: Enrollment) -> None:
    told(ask(iphone, "ManagedApplicationList"), ManagedApplicationList={name: {"Status": "Managed"} for name in "ab"})
    told(ask(iphone, "ManagedApplicationList", Identifiers=["a"]), ManagedApplicationList={"a": {"Status": "Failed"}})

    known = device_of(iphone).managed_applications.order_by("identifier")
    assert list(known.values_list("identifier", "state")) == [("a", "Failed"), ("b", "Managed")]


def test_profiles_of_others_are_still_there(iphone: Enrollment) -> None:
    listed = [{"PayloadIdentifier": "b", "PayloadUUID": "2", "IsManaged": True}]
    told(ask(iphone, "ProfileList", ManagedOnly=True), ProfileList=listed)

    assert list(device_of(iphone).profiles.order_by("identifier").values_list("profile_uuid", flat=True)) == ["1", "2"]


def test_certificates_of_others_are_still_there(iphone: Enrollment) -> None:
    ours, theirs = {"CommonName": "ours", "Data": certificate(NOW)}, {"CommonName": "theirs", "Data": b"?"}
    told(ask(iphone, "CertificateList"), CertificateList=[ours, theirs])
    told(ask(iphone, "CertificateList", ManagedOnly=True), CertificateList=[ours | {"IsIdentity": True}])

    known = device_of(iphone).certificates.order_by("common_name")
    assert list(known.values_list("common_name", "is_identity")) == [("ours", True), ("theirs", False)]


def test_one_query_is_no_inventory(iphone: Enrollment) -> None:
    Device.objects.update(inventory_at=None)
    responses = {"BatteryLevel": 0.5, "EASDeviceIdentifier": "eas"}
    told(ask(iphone, "DeviceInformation", Queries=[*responses]), QueryResponses=responses)

    device = device_of(iphone)
    assert (device.device_name, device.battery_level, device.inventory_at) == ("Anna's", 0.5, None)
    assert device.details["DeviceInformation"] == {"TimeZone": "UTC", "EASDeviceIdentifier": "eas"}
    assert device.last_seen_at == NOW


def test_one_query_is_no_first_inventory() -> None:
    fresh = enrolled()
    told(ask(fresh, "DeviceInformation", Queries=["BatteryLevel"]), QueryResponses={"BatteryLevel": 0.5})
    assert not Job.objects.filter(kind="enrollment.inventories_read").exists()

    told(ask(fresh, "DeviceInformation"), QueryResponses={"BatteryLevel": 0.5})
    assert Job.objects.filter(kind="enrollment.inventories_read").exists()


def test_what_a_mac_says_of_its_user_grows_as_well() -> None:
    mac = enrolled(platform=MACOS)
    told(ask(mac, "DeviceInformation", "user"), QueryResponses={"DeviceName": "Mac", "HostName": "mac"})
    told(ask(mac, "DeviceInformation", "user", Queries=["HostName"]), QueryResponses={"HostName": "other"})

    known = device_of(mac).details["users"]["user"]["DeviceInformation"]
    assert known == {"device_name": "Mac", "HostName": "other"}


def test_the_managed_applications_of_a_macs_user_grow_as_well() -> None:
    mac = enrolled(platform=MACOS)
    told(
        ask(mac, "ManagedApplicationList", "user"),
        ManagedApplicationList={name: {"Status": "Managed"} for name in "ab"},
    )
    told(ask(mac, "ManagedApplicationList", "user", Identifiers=["c"]))
    told(
        ask(mac, "ManagedApplicationList", "user", Identifiers=["a"]),
        ManagedApplicationList={"a": {"Status": "Failed"}},
    )

    known = Answer.objects.get().content["ManagedApplicationList"]
    assert known == {"a": {"Status": "Failed"}, "b": {"Status": "Managed"}}


@pytest.mark.parametrize("part_comes_first", [False, True])
def test_a_part_that_is_read_too_early_does_not_keep_the_whole_out(
    iphone: Enrollment,
    part_comes_first: bool,  # noqa: FBT001 - one of two orders
) -> None:
    """Two workers read the answers of a device in any order; both came in the same moment, or one before the other."""
    whole, part = ask(iphone, APPS), ask(iphone, APPS, Identifiers=["com.x"])
    listed, some = answered(whole, InstalledApplicationList=[MAIL]), answered(part, InstalledApplicationList=[CHAT])
    earlier, later = (some, listed) if part_comes_first else (listed, some)
    type(later).objects.filter(pk=later.pk).update(received_at=NOW.replace(hour=13))

    results.read_result(later.pk)
    results.read_result(earlier.pk)

    assert [name for name, *_ in apps(iphone)] == ["com.y"]


@pytest.mark.parametrize(
    ("request_type", "payload"),
    [
        (APPS, {}),
        (APPS, {"ManagedAppsOnly": False}),
        ("ProfileList", {"ManagedOnly": False}),
        ("ManagedApplicationList", {}),
        ("DeviceInformation", {}),
        ("SecurityInfo", {}),
        ("DeviceLock", {"Message": "Please return"}),
    ],
)
def test_the_whole_is_the_whole_also_when_somebody_writes_it_down(request_type: str, payload: dict[str, Any]) -> None:
    assert not ask(enrolled(), request_type, **payload).is_partial


def test_who_asks_for_all_we_would_and_more_asks_for_the_whole() -> None:
    iphone = enrolled()
    queries = [*commands.by_name("DeviceInformation", None, target_of(channel_of(iphone))).payload["Queries"]]

    assert not ask(iphone, "DeviceInformation", Queries=[*queries, "iTunesStoreAccountHash"]).is_partial
    assert ask(iphone, "DeviceInformation", Queries=queries[1:]).is_partial


@pytest.mark.parametrize(
    ("request_type", "payload"),
    [
        (APPS, {"ManagedAppsOnly": True}),
        ("ProfileList", {"ManagedOnly": True}),
        ("CertificateList", {"ManagedOnly": True}),
    ],
)
def test_of_a_device_of_the_users_own_what_is_managed_is_all(request_type: str, payload: dict[str, Any]) -> None:
    assert not ask(enrolled(kind=AAUE), request_type, **payload).is_partial
    assert ask(enrolled(kind=AAUE), APPS, ManagedAppsOnly=True, Identifiers=["com.x"]).is_partial
    assert ask(enrolled(), request_type, **payload).is_partial


def test_what_is_written_down_is_looked_at_as_well() -> None:
    request = AnyRequest(request_type="ProfileList", payload={"ManagedOnly": True})

    assert queue.queue(channel_of(enrolled()), request).is_partial


def test_everybody_who_is_asked_for_a_part_keeps_the_rest() -> None:
    fleet = [enrolled(udid=name) for name in "ab"]
    for each in fleet:
        told(ask(each, APPS), InstalledApplicationList=[CHAT, MAIL])
    for payload in ({"Identifiers": ["com.x"]}, None):
        broadcast.work(broadcast.begin(APPS, selection={}, actor="admin", payload=payload).pk)
    assert sorted(Command.objects.values_list("is_partial", flat=True)) == [False, False, True, True]

    for row in Command.objects.filter(is_partial=True):
        told(row, InstalledApplicationList=[])

    assert [len(apps(each)) for each in fleet] == [2, 2]
    assert FinishedCommand.objects.filter(is_partial=True).count() == len(fleet)


@pytest.mark.parametrize("devices", [1, 10])
def test_parts_share_their_statements_as_wholes_do(
    devices: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(devices):
        row = ask(enrolled(udid=f"device-{number}"), "DeviceInformation", Queries=["DeviceName"])
        answered(row, QueryResponses={"DeviceName": str(number)})

    with django_assert_num_queries(1 + 5 + 2):
        assert results.read_results() == devices
