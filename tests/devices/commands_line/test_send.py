import io
import plistlib
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from devices.models import Command, Device, Enrollment
from devices.services import retire
from epmm.models import AuditEntry
from tests.devices.commands_line.run import run, run_json
from tests.devices.services.rows import NOW, PROFILE, UDID, channel_of, device_of, enrolled

pytestmark = pytest.mark.django_db


@pytest.fixture
def iphone() -> Device:
    return device_of(enrolled(serial_number="TESTSERIAL01"))


def payload(folder: Path, **keys: Any) -> str:
    file = folder / "payload.plist"
    file.write_bytes(plistlib.dumps(keys))
    return str(file)


def test_the_uuid_is_printed_as_the_device_gets_it(iphone: Device) -> None:
    printed = run("send", "TESTSERIAL01", "DeviceInformation").strip()

    command = Command.objects.get()
    rendered = plistlib.loads(bytes(command.rendered))
    assert printed == rendered["CommandUUID"]
    assert "SerialNumber" in rendered["Command"]["Queries"]


@pytest.mark.parametrize("by", ["uuid", "udid", "serial_number"])
def test_a_device_goes_by_uuid_udid_and_serial_number(iphone: Device, by: str) -> None:
    shown = run_json("send", str(getattr(iphone, by)), "ProfileList")

    command = Command.objects.get()
    assert shown == {
        "command": str(command.uuid).upper(),
        "device": str(iphone.uuid),
        "request_type": "ProfileList",
    }


def test_the_payload_comes_from_a_file(iphone: Device, tmp_path: Path) -> None:
    run("send", UDID, "DeviceLock", "--payload", payload(tmp_path, Message="Return me", RequestType="DeviceLock"))

    rendered = plistlib.loads(bytes(Command.objects.get().rendered))
    assert rendered["Command"] == {"RequestType": "DeviceLock", "Message": "Return me"}


def test_a_passcode_is_cleared_with_the_token_that_the_device_gave(
    iphone: Device, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(CommandError, match=r"needs the unlock token of the device, and it has given us none\."):
        run("send", UDID, "ClearPasscode")
    Enrollment.objects.update(unlock_token=b"hidden token")

    printed = run("send", UDID, "ClearPasscode")

    rendered = plistlib.loads(bytes(Command.objects.get().rendered))
    assert rendered["Command"] == {"RequestType": "ClearPasscode", "UnlockToken": b"hidden token"}
    shown = printed + caplog.text + "".join(capsys.readouterr()) + str(AuditEntry.objects.values().get())
    assert "hidden" not in shown


def test_what_the_system_of_a_device_does_not_know_yet_is_not_sent(tmp_path: Path) -> None:
    enrolled(serial_number="OLD", os_version="17.6.1")
    keys = payload(tmp_path, Identifier="a", Attributes={"Lockable": False})

    with pytest.raises(CommandError, match=r"is new in iOS 18\.1, and this device has 17\.6\.1\."):
        run("send", "OLD", "InstallApplication", "--payload", keys)


def test_a_user_of_a_mac_can_be_meant() -> None:
    mac = enrolled(platform=Device.Platform.MACOS)
    user = channel_of(mac, "user-1")

    run("send", UDID, "ProfileList", "--user", "user-1")

    assert Command.objects.get().channel == user


def test_what_is_sent_is_audited_without_its_payload(tmp_path: Path) -> None:
    mac = device_of(enrolled(platform=Device.Platform.MACOS))
    run("send", UDID, "DeviceLock", "--payload", payload(tmp_path, PIN="123456"))

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.subject) == ("command.queued", "manage.py", str(mac.uuid))
    assert entry.details == {
        "command": str(Command.objects.get().uuid),
        "request_type": "DeviceLock",
        "user": "",
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["TESTSERIAL01", "EnableLostMode"], "needs a supervised device"),
        (["TESTSERIAL01", "DeviceLok"], "Did you mean DeviceLock?"),
        (["TESTSERIAL01", "RemoveProfile"], "RemoveProfile needs the key Identifier"),
        (["TESTSERIAL01", "ProfileList", "--user", "anna"], "This device has no user anna."),
        (["unknown", "ProfileList"], "There is no device unknown."),
        (["", "ProfileList"], "There is no device ."),
        (["TESTSERIAL01", "ProfileList", "--payload", "/does/not/exist"], "/does/not/exist: No such file or directory"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_sentence(iphone: Device, arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError) as refused:
        run("send", *arguments)

    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not Command.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"no property list", "payload.plist: "),
        (plistlib.dumps([]), "payload.plist: property list is not a dictionary"),
        (plistlib.dumps({"RequestType": "EraseDevice"}), "is the payload of another command"),
        (plistlib.dumps({"Message": "a\x01"}, fmt=plistlib.FMT_BINARY), "DeviceLock: the payload has no form"),
    ],
)
def test_a_payload_that_does_not_do_is_refused(iphone: Device, tmp_path: Path, raw: bytes, sentence: str) -> None:
    file = tmp_path / "payload.plist"
    file.write_bytes(raw)

    with pytest.raises(CommandError, match=sentence):
        run("send", UDID, "DeviceLock", "--payload", str(file))

    assert not Command.objects.exists()


def test_users_that_a_mac_has_are_named_when_another_is_meant() -> None:
    mac = enrolled(platform=Device.Platform.MACOS)
    channel_of(mac, "user-1")

    with pytest.raises(CommandError, match=r"has no user user-2\. It has user-1\."):
        run("send", UDID, "ProfileList", "--user", "user-2")


def test_nothing_goes_to_a_retired_device() -> None:
    enrollment = enrolled()
    retire.end_enrollment(enrollment, reason="x", now=NOW)

    with pytest.raises(CommandError, match="This device is retired"):
        run("send", UDID, "ProfileList")


@pytest.mark.parametrize("state", [Enrollment.State.PENDING, Enrollment.State.AUTHENTICATED])
def test_nothing_goes_to_a_device_that_is_still_enrolling(state: Enrollment.State) -> None:
    enrolled(state=state)

    with pytest.raises(CommandError, match="not under management"):
        run("send", UDID, "ProfileList")


def test_a_name_of_two_devices_is_refused_with_their_uuids() -> None:
    devices = [device_of(enrolled(udid=udid, serial_number="SAME")) for udid in ("one", "two")]

    with pytest.raises(CommandError) as refused:
        run("send", "SAME", "ProfileList")

    assert all(str(device.uuid) in str(refused.value) for device in devices)


def test_a_device_that_stands_goes_before_its_retired_records() -> None:
    enrolled(serial_number="SAME", status=Device.Status.RETIRED, mdm_managed=False)
    standing = enrolled(serial_number="SAME")

    run("send", "SAME", "ProfileList")

    assert Command.objects.get().channel.enrollment == standing


def test_the_udid_of_a_mac_may_look_like_the_uuid_of_a_record() -> None:
    mac = enrolled(platform=Device.Platform.MACOS, udid="66ADE930-5FDF-5EC4-8429-15640684C489")

    run("send", "66ADE930-5FDF-5EC4-8429-15640684C489", "ProfileList")

    assert Command.objects.get().channel.enrollment == mac


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_at_a_terminal_a_wipe_asks_again(iphone: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    with pytest.raises(CommandError, match="Nothing was sent"):
        run("send", UDID, "EraseDevice")
    assert not Command.objects.exists()

    monkeypatch.setattr(sys, "stdin", Terminal("TESTSERIAL01\n"))
    run("send", UDID, "EraseDevice")

    iphone.refresh_from_db()
    assert iphone.status == Device.Status.WIPE_PENDING


def test_at_a_terminal_removing_the_enrollment_asks_again(
    iphone: Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(""))
    with pytest.raises(CommandError, match="Nothing was sent"):
        run("send", UDID, "RemoveProfile", "--payload", payload(tmp_path, Identifier=PROFILE))

    run("send", UDID, "RemoveProfile", "--payload", payload(tmp_path, Identifier="another"))


def test_a_script_is_not_asked(iphone: Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    run("send", UDID, "RemoveProfile", "--payload", payload(tmp_path, Identifier=PROFILE))

    iphone.refresh_from_db()
    assert iphone.status == Device.Status.RETIRE_PENDING
