"""What devices answer to the commands that an administrator sends, and where it stands afterwards."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Answer, Device, Enrollment, FinishedCommand, ManagedApplication, Result, Secret
from devices.protocol import installed, system
from devices.protocol.reading import MOST_ITEMS
from devices.services import inventory, results, secrets
from epmm.models import AuditEntry
from tests.devices.services.rows import NOW, answered, answered_raw, channel_of, command, device_of, enrolled

pytestmark = pytest.mark.django_db
VECTORS = Path(__file__).parents[2] / "vectors" / "commands"
MACOS = Device.Platform.MACOS


def vector(enrollment: Enrollment, name: str, user_key: str = "") -> Result:
    result = answered_raw(command(channel_of(enrollment, user_key), name), (VECTORS / f"{name}.plist").read_bytes())
    assert results.read_results() == 1
    assert "unread" not in device_of(enrollment).details
    return result


def said(enrollment: Enrollment, name: str, **keys: Any) -> None:
    answered(command(channel_of(enrollment), name), **keys)
    assert results.read_results() == 1


def test_the_state_of_each_managed_application_stands_in_a_row() -> None:
    enrollment = enrolled()
    vector(enrollment, "ManagedApplicationList")

    stored = device_of(enrollment).managed_applications.order_by("identifier")
    assert [(row.identifier, row.state) for row in stored] == [
        ("org.example.reader", "UserRejected"),
        ("org.example.timesheet", "Managed"),
    ]
    assert stored[1].details["HasConfiguration"] is True
    assert "Status" not in stored[1].details


def test_an_application_that_is_to_be_installed_is_followed() -> None:
    enrollment = enrolled()
    vector(enrollment, "InstallApplication")
    said(enrollment, "InstallApplication", Identifier="a", State="Failed", RejectionReason="AppAlreadyInstalled")
    assert list(ManagedApplication.objects.order_by("identifier").values_list("identifier", "state", "rejection")) == [
        ("a", "Failed", "AppAlreadyInstalled"),
        ("org.example.timesheet", "Prompting", ""),
    ]

    said(enrollment, "InstallApplication", Identifier="org.example.timesheet", State="Failed", RejectionReason="Other")
    known = ManagedApplication.objects.get(identifier="org.example.timesheet")
    assert (known.state, known.rejection) == ("Failed", "Other")

    vector(enrollment, "ManagedApplicationList")  # the whole set again
    vector(enrollment, "InstallApplication")

    row = ManagedApplication.objects.get(identifier="org.example.timesheet")
    assert (row.state, row.details["HasConfiguration"]) == ("Prompting", True)
    stored = ManagedApplication.objects.order_by("identifier").values_list("identifier", flat=True)
    assert list(stored) == ["a", "org.example.reader", "org.example.timesheet"]  # that a failed is told once


def test_the_accounts_of_a_mac_stand_in_rows() -> None:
    enrollment = enrolled(platform=MACOS)
    vector(enrollment, "UserList")

    anna, it = device_of(enrollment).local_users.order_by("name")
    assert (anna.name, anna.full_name, anna.uid, anna.is_logged_in, anna.has_secure_token) == (
        "anna",
        "Anna Example",
        501,
        True,
        True,
    )
    assert anna.details == {"MobileAccount": False}
    assert (it.has_secure_token, it.guid) == (False, "5B0C1E6A-2B1E-4C0F-8E59-0D6B5F1A9C12")


def test_the_updates_that_a_mac_could_install_stand_in_rows() -> None:
    enrollment = enrolled(platform=MACOS)
    vector(enrollment, "AvailableOSUpdates")

    update = device_of(enrollment).available_updates.get()
    assert (update.name, update.version, update.build) == ("macOS Sequoia 15.3", "15.3", "24D60")
    assert (update.is_critical, update.restart_required, update.is_security_response) == (False, True, False)
    assert update.details["DeferredUntil"] == "2026-12-24T00:00:00Z"
    assert update.details["RequiresBootstrapToken"] is True

    said(enrollment, "AvailableOSUpdates", AvailableOSUpdates=[])
    assert not device_of(enrollment).available_updates.exists()


@pytest.mark.parametrize(
    ("name", "key", "content"),
    [
        ("ProvisioningProfileList", "ProvisioningProfileList", {"ExpiryDate": "2027-05-01T08:00:00Z"}),
        ("Restrictions", "GlobalRestrictions", {"restrictedBool": {"allowCamera": {"value": False}}}),
        ("OSUpdateStatus", "OSUpdateStatus", {"Status": "Downloading", "DownloadPercentComplete": 0.37}),
        ("ScheduleOSUpdate", "UpdateResults", {"InstallAction": "InstallLater", "Status": "Idle"}),
        ("Settings", "Settings", {"Item": "DeviceName", "Status": "Acknowledged"}),
        ("ManagedApplicationFeedback", "ManagedApplicationFeedback", {"Identifier": "org.example.timesheet"}),
        ("ManagedApplicationConfiguration", "ApplicationConfigurations", {"Identifier": "org.example.timesheet"}),
        ("LOMDeviceRequest", "ResponseList", {"DeviceRequestReturnError": "unreachable"}),
        ("ContentCachingInformation", "StatusResponse", {"CacheStatus": "OK", "Port": 49152}),
    ],
)
def test_what_people_look_at_is_kept_as_it_came(name: str, key: str, content: dict[str, Any]) -> None:
    enrollment = enrolled(platform=MACOS)
    vector(enrollment, name)

    answer = Answer.objects.get()
    assert (answer.device, answer.request_type, answer.user_key) == (enrollment.device, name, "")
    assert answer.received_at == NOW
    told = answer.content[key]
    assert content.items() <= (told[0] if isinstance(told, list) else told).items()
    assert not {"UDID", "Status", "CommandUUID"} & answer.content.keys()
    assert name not in device_of(enrollment).details  # the record stays small


def test_what_a_user_of_a_mac_answers_is_kept_for_that_user() -> None:
    enrollment = enrolled(platform=MACOS)
    vector(enrollment, "ActiveNSExtensions", "user-1")
    vector(enrollment, "ManagedApplicationList", "user-1")

    extensions, applications = Answer.objects.order_by("request_type")
    assert (extensions.user_key, extensions.content["Extensions"][0]["UserElection"]) == ("user-1", "Default")
    assert "org.example.reader" in applications.content["ManagedApplicationList"]
    assert not ManagedApplication.objects.exists()


def test_the_newest_answer_takes_the_place_of_the_last() -> None:
    enrollment = enrolled(platform=MACOS)
    said(enrollment, "VerifyRecoveryLock", PasswordVerified=True, New=1)
    said(enrollment, "VerifyRecoveryLock", PasswordVerified=False)
    assert Answer.objects.get().content == {"PasswordVerified": False}

    late = answered(command(channel_of(enrollment), "VerifyRecoveryLock"), PasswordVerified=True)
    Result.objects.filter(pk=late.pk).update(received_at=NOW - timedelta(minutes=1))
    results.read_results()
    assert Answer.objects.get().content == {"PasswordVerified": False}

    said(enrollment, "VerifyRecoveryLock")
    assert not Answer.objects.exists()


def test_of_a_users_own_device_nothing_is_kept_that_recognizes_it() -> None:
    enrollment = enrolled(kind=Enrollment.Kind.AAUE)
    said(enrollment, "DeviceLock", MessageResult="Success", SerialNumber="SERIAL", IMEI="1")

    assert Answer.objects.get().content == {"MessageResult": "Success"}


def test_of_too_much_nothing_is_kept_that_has_no_row() -> None:
    enrollment = enrolled(platform=MACOS)
    said(enrollment, "ManagedMediaList", Books=[{"Title": "x" * inventory.LARGEST_KEPT}])

    assert not Answer.objects.exists()


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("ActivationLockBypassCode", "ActivationLockBypassCode", b"4XYZ1-K7C3Q-HY4M-2J8P-9N6R-TT01"),
        ("RotateFileVaultKey", "EncryptedNewRecoveryKey", b"CMS of a new key"),
    ],
)
def test_what_opens_a_device_is_sealed_and_stands_nowhere_else(
    name: str, key: str, value: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    enrollment = enrolled(platform=MACOS)
    result = vector(enrollment, name)

    device = device_of(enrollment)
    assert FinishedCommand.objects.get(pk=result.pk).body is None
    shown = f"{device.details} {list(Answer.objects.values())} {caplog.text} {Secret.objects.get()!r}"
    assert value.decode() not in shown
    assert secrets.names_of(device) == [key]
    assert not AuditEntry.objects.exists()

    assert secrets.reveal(device, key, actor="admin") == value

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.subject, entry.details) == (
        "secret.revealed",
        "admin",
        str(device.uuid),
        {"name": key},
    )


def test_a_secret_that_came_too_late_to_be_read_is_not_kept_in_clear() -> None:
    enrollment = enrolled(platform=MACOS, state=Enrollment.State.ENDED)
    result = vector(enrollment, "ActivationLockBypassCode")

    assert FinishedCommand.objects.get(pk=result.pk).body is None


def test_a_secret_outlives_its_enrollment_and_the_newest_counts() -> None:
    old = enrolled(platform=MACOS)
    said(old, "ActivationLockBypassCode", ActivationLockBypassCode="first")
    said(old, "ActivationLockBypassCode", ActivationLockBypassCode="second")
    Enrollment.objects.update(state=Enrollment.State.ENDED)

    assert Secret.objects.count() == 1
    assert secrets.reveal(device_of(old), "ActivationLockBypassCode", actor="admin") == b"second"
    with pytest.raises(secrets.NoSecret, match="has given us no EncryptedNewRecoveryKey"):
        secrets.reveal(device_of(old), "EncryptedNewRecoveryKey", actor="admin")


@pytest.mark.parametrize("value", ["", 7, [b"x"], "x" * (system.LONGEST_SECRET + 1)])
def test_what_is_no_secret_is_kept_nowhere(value: object) -> None:
    enrollment = enrolled(platform=MACOS)
    said(enrollment, "ActivationLockBypassCode", ActivationLockBypassCode=value)

    assert not Secret.objects.exists()
    assert not Answer.objects.exists()


def test_a_list_has_an_end() -> None:
    many: dict[str, Any] = {"ManagedApplicationList": {f"a{n}": {} for n in range(MOST_ITEMS + 5)}}

    assert len(installed.read_managed_applications(many)) == MOST_ITEMS


def test_the_number_of_statements_does_not_grow_with_the_rows() -> None:
    counts = []
    for size in (2, 60):
        enrollment = enrolled(platform=MACOS, udid=f"device-{size}")
        users = [{"UserName": f"user{n}"} for n in range(size)]
        result = answered(command(channel_of(enrollment), "UserList"), Users=users)
        with CaptureQueriesContext(connection) as queries:
            results.read_result(result.pk)
        counts.append(len(queries))
    assert counts[0] == counts[1]
