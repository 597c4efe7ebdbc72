"""What answers change in the record."""

import logging
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import Command, Device, Enrollment, FinishedCommand, ManagedApplication, Result
from devices.protocol import commands
from devices.protocol.reading import Reading
from devices.services import inventory, queue, results
from epmm.models import Job
from tests.devices.services.rows import (
    NOW,
    PROFILE,
    UDID,
    answered,
    answered_raw,
    channel_of,
    command,
    device_of,
    digested,
    enrolled,
    information,
    warnings,
)

pytestmark = pytest.mark.django_db
VECTORS = Path(__file__).parents[2] / "vectors"
Received: TypeAlias = Sequence[tuple[Result, Reading]]
ERROR, FORMAT_ERROR = Command.State.ERROR, Command.State.FORMAT_ERROR


def test_the_first_inventory_is_told_once() -> None:
    enrollment = enrolled()
    for _ in range(2):
        information(enrollment, OSVersion="18.2")
        results.read_results()

    (job,) = Job.objects.filter(kind="enrollment.inventories_read")
    assert job.arguments == {"enrollments": [enrollment.pk]}


def test_an_answer_stands_in_the_record() -> None:
    enrollment = enrolled()
    raw = (VECTORS / "examples" / "command-result-acknowledged.plist").read_bytes()
    result = answered_raw(command(channel_of(enrollment), "DeviceInformation"), raw)
    assert results.waiting()

    assert results.read_results() == 1

    device = device_of(enrollment)
    assert (device.serial_number, device.os_version, device.os_version_number) == ("TESTSERIAL01", "18.2", 18_002_000)
    assert (device.product_name, device.device_name, device.is_supervised) == ("iPhone17,1", "Anna's iPhone", False)
    assert (device.inventory_at, device.last_seen_at) == (NOW, NOW)
    assert device.modified_at > device.created_at
    assert digested(result)
    assert not results.waiting()


def test_reading_the_same_answer_again_changes_nothing() -> None:
    enrollment = enrolled()
    result = information(enrollment, OSVersion="18.2", TimeZone="Europe/Berlin")
    results.read_results()
    before = Device.objects.values().get()

    FinishedCommand.objects.all().delete()
    result.save(force_insert=True)
    results.read_results()

    assert Device.objects.values().get() == before


def test_what_has_no_column_is_kept_by_its_query() -> None:
    enrollment = enrolled()
    row = command(channel_of(enrollment), "DeviceInformation")
    answered(row, QueryResponses={"TimeZone": "Europe/Berlin", "OSVersion": 18, "UDID": UDID}, NewKey="new")

    results.read_results()

    details = device_of(enrollment).details
    assert details["DeviceInformation"] == {
        "TimeZone": "Europe/Berlin",
        "OSVersion": 18,
        "NewKey": "new",
    }
    assert details["received"] == {"DeviceInformation": "2026-11-22T12:00:00.000000+00:00"}
    assert device_of(enrollment).os_version == ""


def test_of_too_much_only_the_columns_are_kept() -> None:
    enrollment = enrolled()
    information(enrollment, OSVersion="18.2", Filler="x" * inventory.LARGEST_KEPT)

    results.read_results()

    assert device_of(enrollment).os_version == "18.2"
    assert "DeviceInformation" not in device_of(enrollment).details


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ({"UDID": "another"}, "UDID"),
        ({"SerialNumber": "OTHER"}, "SerialNumber"),
    ],
)
def test_an_answer_cannot_make_the_device_another(
    told: dict[str, str], key: str, caplog: pytest.LogCaptureFixture
) -> None:
    enrollment = enrolled(serial_number="SERIAL")
    information(enrollment, **told, OSVersion="18.2")

    results.read_results()

    device = device_of(enrollment)
    assert (device.udid, device.serial_number, device.os_version) == (UDID, "SERIAL", "18.2")
    assert device.details["DeviceInformation"] == told
    (line,) = warnings(caplog)
    assert (line.levelno, vars(line)["key"]) == (logging.WARNING, key)
    assert "OTHER" not in caplog.text


def test_a_device_that_calls_itself_user_enrolled_is_worth_a_line(caplog: pytest.LogCaptureFixture) -> None:
    enrollment = enrolled()
    answered(
        command(channel_of(enrollment), "SecurityInfo"), SecurityInfo={"ManagementStatus": {"IsUserEnrollment": True}}
    )

    results.read_results()

    assert device_of(enrollment).is_user_enrollment is True
    assert [vars(line)["key"] for line in warnings(caplog)] == ["IsUserEnrollment"]


def test_of_a_users_own_device_no_identity_is_stored() -> None:
    enrollment = enrolled(kind=Enrollment.Kind.AAUE)
    information(enrollment, SerialNumber="SERIAL", UDID="udid", IMEI="1", OSVersion="18.2")

    results.read_results()

    device = device_of(enrollment)
    assert (device.serial_number, device.udid, device.imei, device.os_version) == ("", "", "", "18.2")
    assert "DeviceInformation" not in device.details


def test_a_late_answer_of_an_earlier_enrollment_says_nothing_now() -> None:
    old = enrolled(state=Enrollment.State.ENDED)
    enrolled(device=old.device)
    result = information(old, OSVersion="17.0")

    results.read_results()

    assert device_of(old).os_version == ""
    assert digested(result)


def test_an_enrollment_without_a_record_has_nothing_to_change() -> None:
    enrollment = enrolled()
    result = information(enrollment, OSVersion="17.0")
    Enrollment.objects.update(device=None)

    results.read_results()

    assert digested(result)


def test_an_answer_that_is_older_than_one_already_read_changes_nothing() -> None:
    enrollment = enrolled()
    newer, older = information(enrollment, OSVersion="18.2"), information(enrollment, OSVersion="18.1")
    now = timezone.now()
    Result.objects.filter(pk=newer.pk).update(received_at=now)
    Result.objects.filter(pk=older.pk).update(received_at=now - timedelta(minutes=1))

    results.read_results()

    assert device_of(enrollment).os_version == "18.2"
    assert digested(newer)
    assert digested(older)


def test_an_answer_that_came_while_the_clock_was_ahead_does_not_keep_out_the_next_ones() -> None:
    enrollment = enrolled()
    ahead = information(enrollment, OSVersion="18.1")
    Result.objects.filter(pk=ahead.pk).update(received_at=timezone.now() + timedelta(hours=1))
    results.read_results()
    assert device_of(enrollment).os_version == "18.1"

    put_back = information(enrollment, OSVersion="18.2")
    Result.objects.filter(pk=put_back.pk).update(received_at=timezone.now())
    results.read_results()

    assert device_of(enrollment).os_version == "18.2"


def test_what_a_mac_says_of_its_user_stands_apart() -> None:
    enrollment = enrolled(platform=Device.Platform.MACOS)
    users = channel_of(enrollment, "user-1")
    answered(command(users, "DeviceInformation"), QueryResponses={"DeviceName": "For anna", "TimeZone": "UTC"})
    answered(command(users, "SecurityInfo"), SecurityInfo={"FDE_Enabled": True})
    answered(command(users, "ProfileList"), ProfileList=[{"PayloadIdentifier": "a"}])

    results.read_results()

    device = device_of(enrollment)
    assert (device.device_name, device.filevault_enabled, device.inventory_at) == ("", None, None)
    assert device.details["users"]["user-1"] == {
        "DeviceInformation": {"device_name": "For anna", "TimeZone": "UTC"},
        "SecurityInfo": {"filevault_enabled": True},
        "ProfileList": {},
    }
    assert not device.profiles.exists()


@pytest.mark.parametrize(
    ("request_type", "told"),
    [
        ("DeviceInformation", {"QueryResponses": {"OSVersion": "18.2", "SerialNumber": "SERIAL"}}),
        ("SecurityInfo", {"SecurityInfo": {"PasscodePresent": True}}),
    ],
)
def test_one_answer_takes_five_statements(
    request_type: str, told: dict[str, Any], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    enrollment = enrolled()
    # the first inventory also ends the trace of the enrollment
    Device.objects.update(inventory_at=NOW, os_version="18.2")
    result = answered(command(channel_of(enrollment), request_type), **told)

    with django_assert_num_queries(7):  # with the two of a nested transaction
        results.read_result(result.pk)


@pytest.mark.parametrize("devices", [1, 10])
def test_answers_that_wait_together_share_their_statements(
    devices: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(devices):
        iphone = enrolled(udid=f"device-{number}", inventory_at=NOW, os_version="18.2")
        information(iphone, OSVersion="18.2", DeviceName=str(number))

    with django_assert_num_queries(1 + 5 + 2):  # which there are; as for one answer
        assert results.read_results() == devices

    names = {device.udid: device.device_name for device in Device.objects.all()}
    assert names == {f"device-{number}": str(number) for number in range(devices)}


def test_what_one_device_answers_to_several_commands_is_put_together(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    enrollment = enrolled(inventory_at=NOW)
    information(enrollment, OSVersion="18.1", TimeZone="UTC")
    answered(command(channel_of(enrollment), "SecurityInfo"), SecurityInfo={"PasscodePresent": True, "Other": 1})
    information(enrollment, OSVersion="18.2", TimeZone="Europe/Berlin")

    with django_assert_num_queries(1 + 5 + 2 + 1):  # another system: what was refused there is judged again
        assert results.read_results() == 3

    device = device_of(enrollment)
    assert (device.os_version, device.passcode_present) == ("18.2", True)
    assert device.details["DeviceInformation"] == {"TimeZone": "Europe/Berlin"}
    assert device.details["SecurityInfo"] == {"Other": 1}


def test_a_device_whose_answer_changes_little_keeps_what_its_neighbours_change() -> None:
    quiet, news = enrolled(udid="a", device_name="Anna's", storage_free=1.5, inventory_at=NOW), enrolled(udid="b")
    information(quiet, OSVersion="18.2")
    information(news, DeviceName="Ben's", AvailableDeviceCapacity=2, IsRoaming=True, OSVersion="no version")

    results.read_results()

    known = [(row.device_name, row.storage_free, row.is_roaming, row.os_version_number) for row in
             Device.objects.order_by("udid")]  # fmt: skip
    assert known == [("Anna's", 1.5, None, 18_002_000), ("Ben's", 2.0, True, None)]


@pytest.mark.parametrize("status", [ERROR, FORMAT_ERROR])
def test_an_error_is_kept_and_changes_nothing(status: Command.State) -> None:
    enrollment = enrolled()
    row = command(channel_of(enrollment), "DeviceInformation")
    result = answered(row, status, QueryResponses={"OSVersion": "18.2"})

    results.read_results()

    assert digested(result)
    assert device_of(enrollment).os_version == ""
    assert FinishedCommand.objects.get(uuid=row.uuid).state == status


def test_a_malformed_command_is_our_fault_and_told(caplog: pytest.LogCaptureFixture) -> None:
    row = command(channel_of(enrolled()), "ProfileList")
    answered(row, FORMAT_ERROR)

    results.read_results()

    (line,) = warnings(caplog)
    assert (line.levelno, vars(line)["command"]) == (logging.ERROR, str(row.uuid).upper())


def test_an_answer_to_anything_else_is_only_marked() -> None:
    enrollment = enrolled()
    result = answered_raw(command(channel_of(enrollment), "RestartDevice"), b"never parsed")

    assert results.read_results() == 1

    assert digested(result)


def test_a_wiped_device_is_gone() -> None:
    enrollment = enrolled()
    row = queue.queue(channel_of(enrollment), commands.EraseDevice())
    answered(row)

    results.read_results()

    device = device_of(enrollment)
    assert (device.status, device.mdm_managed) == (Device.Status.WIPED, False)
    stored = Enrollment.objects.get(pk=enrollment.pk)
    assert (stored.state, stored.ended_at, stored.end_reason) == (3, NOW, "wiped by administrator")


def test_a_device_that_removed_our_profile_is_retired() -> None:
    enrollment = enrolled()
    row = queue.queue(channel_of(enrollment), commands.RemoveProfile(identifier=PROFILE))
    answered(row)

    results.read_results()

    device = device_of(enrollment)
    assert (device.status, device.retired_reason) == (Device.Status.RETIRED, "retired by administrator")
    assert Enrollment.objects.get(pk=enrollment.pk).state == Enrollment.State.ENDED


def test_a_device_that_removed_another_profile_stays() -> None:
    enrollment = enrolled()
    answered(queue.queue(channel_of(enrollment), commands.RemoveProfile(identifier="another")))

    results.read_results()

    assert device_of(enrollment).status == Device.Status.ACTIVE


@pytest.mark.parametrize("request_", [commands.EraseDevice(), commands.RemoveProfile(identifier=PROFILE)])
@pytest.mark.parametrize("status", [ERROR, FORMAT_ERROR])
def test_a_device_that_refuses_to_go_stays(status: Command.State, request_: commands.Request) -> None:
    enrollment = enrolled()
    answered(queue.queue(channel_of(enrollment), request_), status)

    results.read_results()

    assert device_of(enrollment).status == Device.Status.ACTIVE
    assert Enrollment.objects.get(pk=enrollment.pk).state == Enrollment.State.ACTIVE


def test_a_refused_wipe_leaves_the_retirement_pending() -> None:
    enrollment = enrolled()
    queue.queue(channel_of(enrollment), commands.RemoveProfile(identifier=PROFILE))
    answered(queue.queue(channel_of(enrollment), commands.EraseDevice()), ERROR)

    results.read_results()

    assert device_of(enrollment).status == Device.Status.RETIRE_PENDING


def test_a_refused_wipe_leaves_the_next_one_pending() -> None:
    enrollment = enrolled()
    answered(queue.queue(channel_of(enrollment), commands.EraseDevice()), ERROR)
    queue.queue(channel_of(enrollment), commands.EraseDevice())

    results.read_results()

    assert device_of(enrollment).status == Device.Status.WIPE_PENDING


def test_news_of_one_application_are_no_news_of_another() -> None:
    channel, at = channel_of(enrolled()), timezone.now()
    news = []
    for seconds, identifier in enumerate(("app.a", "app.b")):
        result = answered(command(channel, "InstallApplication"), Identifier=identifier, State="Installing")
        Result.objects.filter(pk=result.pk).update(received_at=at + timedelta(seconds=seconds))
        news.append(result)

    for result in reversed(news):
        results.read_result(result.pk)

    assert sorted(ManagedApplication.objects.values_list("identifier", flat=True)) == ["app.a", "app.b"]
