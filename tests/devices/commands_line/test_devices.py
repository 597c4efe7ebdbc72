import pytest
from django.core.management import CommandError
from pytest_django import DjangoAssertNumQueries

from devices.models import Device, Enrollment
from devices.services import results
from epmm.models import AuditEntry
from tests.devices.commands_line.run import run, run_json
from tests.devices.services.rows import NOW, UDID, answered, channel_of, command, device_of, enrolled

pytestmark = pytest.mark.django_db


def iphone() -> Enrollment:
    return enrolled(
        serial_number="TESTSERIAL01",
        product_name="iPhone17,1",
        os_version="18.2",
        managed_apple_account="anna@corp.example",
        last_seen_at=NOW,
    )


def test_each_device_has_a_line() -> None:
    iphone()
    enrolled(kind=Enrollment.Kind.AAUE, platform=Device.Platform.MACOS)

    head, first, second = run("devices").splitlines()

    assert head.split("  ")[0] == "STATUS"
    assert first.split() == [
        *("ACTIVE", "TESTSERIAL01", "iPhone17,1", "iOS", "18.2", "anna", "anna@corp.example"),
        *("2026-11-22", "12:00:00", "UTC"),
    ]
    assert second.split() == ["ACTIVE", "-", "-", "macOS", "anna", "-", "-"]


def test_retired_devices_are_listed_on_request() -> None:
    enrolled(status=Device.Status.RETIRED, mdm_managed=False)

    assert run_json("devices") == []
    assert [device["status"] for device in run_json("devices", "--all")] == ["RETIRED"]


def test_the_list_as_json() -> None:
    device = device_of(iphone())

    assert run_json("devices") == [
        {
            "uuid": str(device.uuid),
            "status": "ACTIVE",
            "enrollment_type": "adde",
            "serial_number": "TESTSERIAL01",
            "udid": UDID,
            "device_name": "",
            "model": "iPhone17,1",
            "platform": "iOS",
            "os_version": "18.2",
            "user": "anna",
            "managed_apple_account": "anna@corp.example",
            "last_seen_at": "2026-11-22T12:00:00Z",
            "inventory_at": None,
        }
    ]


def test_a_thousand_devices_take_one_query(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for number in range(3):
        enrolled(udid=f"device-{number}")

    with django_assert_num_queries(1):
        run("devices")


def test_one_device_with_its_fields_and_commands() -> None:
    enrollment = iphone()
    done = command(channel_of(enrollment), "DeviceInformation")
    answered(done, QueryResponses={"BatteryLevel": 0.5, "TimeZone": "UTC"})
    results.read_results()
    waiting = command(channel_of(enrollment, "user-1"), "ProfileList")

    text = run("devices", "TESTSERIAL01")
    shown = run_json("devices", "TESTSERIAL01")

    assert ["battery_level", "0.5"] in [line.split() for line in text.splitlines()]
    assert "imei" not in text  # of what is not known there is no line
    assert [line.split()[:3] for line in text.splitlines()[-2:]] == [
        [str(waiting.uuid).upper(), "ProfileList", "OFFERED"],
        [str(done.uuid).upper(), "DeviceInformation", "ACKNOWLEDGED"],
    ]
    assert (shown["user"], shown["battery_level"], shown["os_version_number"]) == ("anna", 0.5, None)
    assert shown["details"]["DeviceInformation"] == {"TimeZone": "UTC"}
    assert [(item["request_type"], item["user"]) for item in shown["commands"]] == [
        ("ProfileList", "user-1"),
        ("DeviceInformation", ""),
    ]


def test_what_it_answered_stands_with_it_and_what_opens_it_does_not() -> None:
    mac = enrolled(platform=Device.Platform.MACOS)
    Enrollment.objects.update(bootstrap_token=b"hidden token")
    for name, keys in (
        ("UserList", {"Users": [{"UserName": "anna", "HasSecureToken": True}]}),
        ("ManagedApplicationList", {"ManagedApplicationList": {"org.example.reader": {"Status": "Managed"}}}),
        ("AvailableOSUpdates", {"AvailableOSUpdates": [{"ProductKey": "key", "Version": "15.3"}]}),
        ("OSUpdateStatus", {"OSUpdateStatus": []}),
        ("ActivationLockBypassCode", {"ActivationLockBypassCode": "hidden code"}),
    ):
        answered(command(channel_of(mac), name), **keys)
    results.read_results()

    text, shown = run("devices", UDID), run_json("devices", UDID)

    assert ["secrets", "ActivationLockBypassCode"] in [line.split() for line in text.splitlines()]
    assert (shown["bootstrap_token_escrowed"], shown["unlock_token_escrowed"]) == (True, False)
    assert shown["local_users"] == [{"name": "anna", "full_name": "", "has_secure_token": True}]
    assert shown["managed_applications"] == [{"identifier": "org.example.reader", "state": "Managed", "rejection": ""}]
    assert [update["version"] for update in shown["available_updates"]] == ["15.3"]
    assert shown["answers"] == {"OSUpdateStatus": {"OSUpdateStatus": []}}
    assert "hidden" not in text + str(shown)


def test_a_secret_is_printed_for_whoever_asks_and_the_asking_is_audited() -> None:
    mac = enrolled(platform=Device.Platform.MACOS)
    answered(command(channel_of(mac), "ActivationLockBypassCode"), ActivationLockBypassCode="4XYZ1")
    answered(command(channel_of(mac), "RotateFileVaultKey"), RotateResult={"EncryptedNewRecoveryKey": b"\0\xff"})
    results.read_results()

    assert run("devices", UDID, "--reveal", "ActivationLockBypassCode").strip() == "4XYZ1"
    assert run("devices", UDID, "--reveal", "EncryptedNewRecoveryKey").strip() == "AP8="

    assert list(AuditEntry.objects.order_by("pk").values_list("action", "actor", "details__name")) == [
        ("secret.revealed", "manage.py", "ActivationLockBypassCode"),
        ("secret.revealed", "manage.py", "EncryptedNewRecoveryKey"),
    ]


@pytest.mark.parametrize(("name", "sentence"), [(UDID, "has given us no Other"), ("unknown", "There is no device")])
def test_what_there_is_not_cannot_be_printed(name: str, sentence: str) -> None:
    enrolled()

    with pytest.raises(CommandError, match=sentence):
        run("devices", name, "--reveal", "Other")


def test_a_device_that_was_asked_nothing() -> None:
    enrolled()

    assert "No command yet." in run("devices", UDID)


def test_only_the_last_commands_are_shown() -> None:
    channel = channel_of(enrolled())
    rows = [command(channel, "ProfileList") for _ in range(30)]
    for row in rows[:5]:
        answered(row)
    results.read_results()

    shown = [item["uuid"] for item in run_json("devices", UDID)["commands"]]
    assert shown == [str(row.uuid).upper() for row in reversed(rows[10:])]


def test_an_unknown_device_is_an_error() -> None:
    with pytest.raises(CommandError, match="There is no device unknown"):
        run("devices", "unknown")
