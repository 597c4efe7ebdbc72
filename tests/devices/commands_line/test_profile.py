"""`manage.py profile` and `manage.py label`."""

import io
import re
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError
from pytest_django import DjangoAssertNumQueries

from devices.models import Command, Configuration, Device, Label
from tests.devices.commands_line.run import run, run_json
from tests.devices.configuration.lab import answer, refuse, work
from tests.devices.configuration.profiles import IDENTIFIER, PASSWORD, payload, profile
from tests.devices.services.rows import device_of, enrolled

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "wifi.mobileconfig"
    path.write_bytes(profile())
    return path


def upload(path: Path, raw: bytes) -> str:
    path.write_bytes(raw)
    return run("profile", "upload", str(path))


def test_a_profile_from_the_file_to_the_device_and_away_again(file: Path) -> None:
    iphone = enrolled(serial_number="TESTSERIAL01")
    assert run("profile", "upload", str(file)) == f"{IDENTIFIER} version 1\n"
    assert run("profile", "upload", str(file)) == f"{IDENTIFIER} version 1, unchanged\n"
    assert run("profile", "assign", IDENTIFIER, "--device", "TESTSERIAL01") == "Assigned.\n"
    assert run("profile", "assign", IDENTIFIER, "--device", "TESTSERIAL01") == "It was assigned already.\n"
    work()
    assert "Pending" in run("profile", "status", IDENTIFIER)
    Command.objects.update(state=Command.State.OFFERED)
    assert "Sent" in run("profile", "status", IDENTIFIER)
    assert run_json("profile", "list")[0]["states"] == {"SENT": 1}
    answer(iphone)
    (status,) = run_json("profile", "status", "--device", "TESTSERIAL01")
    assert (status["state"], status["installed"], status["device"]) == ("APPLIED", 1, str(device_of(iphone).uuid))

    assert run("profile", "unassign", IDENTIFIER, "--device", "TESTSERIAL01") == "No longer assigned.\n"
    with pytest.raises(CommandError, match="is not assigned to"):
        run("profile", "unassign", IDENTIFIER, "--device", "TESTSERIAL01")
    work()
    answer(iphone)
    assert "Revoked" in run("profile", "status", IDENTIFIER)
    run("profile", "remove", IDENTIFIER)
    assert run_json("profile", "list")[0]["removed_at"] is not None


def test_an_error_of_the_device_is_shown(file: Path) -> None:
    iphone = enrolled(serial_number="TESTSERIAL01")
    upload(file, profile())
    run("profile", "assign", IDENTIFIER, "--device", "TESTSERIAL01")
    work()
    refuse(iphone)

    line = run("profile", "status", IDENTIFIER).splitlines()[1]
    assert line.startswith("Failed")
    assert "Invalid profile (MCInstallationErrorDomain 4001)" in line


def test_what_devices_would_not_take_is_said_at_the_upload(file: Path) -> None:
    said = upload(file, profile(payload("com.apple.app.lock"), payload("com.apple.wifi.managed")))

    assert "iPhone, iPad: com.apple.app.lock needs a supervised device" in said
    assert "Mac: macOS does not know com.apple.app.lock." in said


def test_versions_are_shown_and_their_contents_are_not(file: Path) -> None:
    upload(file, profile())
    upload(file, profile(edition=2))

    facts = run_json("profile", "show", IDENTIFIER, "--versions")
    assert [version["version"] for version in facts["versions"]] == [2, 1]
    assert facts["payloads"] == ["com.apple.wifi.managed"]
    shown = run("profile", "show", IDENTIFIER, "--versions")
    assert "version 2" in shown
    assert re.search(r"^uploaded_at +20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC$", shown, re.MULTILINE)
    assert PASSWORD not in shown + str(facts)


def test_labels_are_made_filled_and_assigned(file: Path) -> None:
    device = device_of(enrolled(serial_number="TESTSERIAL01"))
    upload(file, profile())
    run("label", "create", "Sales", "--description", "all of sales")
    assert run("label", "add", "Sales", "TESTSERIAL01") == "1 of 1 devices are new members.\n"
    run("profile", "assign", IDENTIFIER, "--label", "Sales")
    work()

    assert Command.objects.get().request_type == "InstallProfile"
    (sales,) = [row for row in run_json("label", "list") if row["name"] == "Sales"]
    assert (sales["kind"], sales["description"], sales["devices"]) == ("manual", "all of sales", 1)
    assert run("label", "list", "Sales") == f"{device.uuid}  TESTSERIAL01\n"
    assert run_json("profile", "show", IDENTIFIER)["assigned_to"] == ["Sales"]
    assert run("label", "remove", "Sales", "TESTSERIAL01") == "1 of 1 devices are no longer members.\n"
    run("label", "delete", "Sales")
    assert not Label.objects.filter(is_built_in=False).exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["profile", "upload", "/does/not/exist"], "/does/not/exist: No such file or directory"),
        (["profile", "show", "unknown"], "There is no configuration unknown."),
        (["profile", "assign", IDENTIFIER, "--device", "unknown"], "There is no device unknown."),
        (["profile", "assign", IDENTIFIER, "--label", "unknown"], "There is no label unknown."),
        (["profile", "assign", IDENTIFIER], "one of the arguments --device --label is required"),
        (["profile", "status"], "Name a configuration or a --device, one of them."),
        (["profile", "status", IDENTIFIER, "--device", "x"], "Name a configuration or a --device, one of them."),
        (["label", "add", "unknown", "x"], "There is no label unknown."),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(file: Path, arguments: list[str], sentence: str) -> None:
    upload(file, profile())
    with pytest.raises(CommandError) as refused:
        run(*arguments)

    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_profile_is_refused_with_a_sentence(file: Path) -> None:
    with pytest.raises(CommandError, match="This is not a profile"):
        upload(file, b"x")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_removing_what_is_assigned_asks_again(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    enrolled(serial_number="TESTSERIAL01")
    upload(file, profile())
    run("profile", "assign", IDENTIFIER, "--device", "TESTSERIAL01")

    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(CommandError, match="Add --yes"):
        run("profile", "remove", IDENTIFIER)
    monkeypatch.setattr(sys, "stdin", Terminal("no\n"))
    with pytest.raises(CommandError, match="Nothing was changed"):
        run("profile", "remove", IDENTIFIER)
    assert Configuration.objects.standing().exists()

    monkeypatch.setattr(sys, "stdin", Terminal(f"{IDENTIFIER}\n"))
    run("profile", "remove", IDENTIFIER)
    assert not Configuration.objects.standing().exists()


def test_lists_take_as_many_statements_however_long(
    file: Path, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    devices: list[Device] = []
    for count in (2, 6):
        for number in range(count):
            identifier = f"com.example.{count}.{number}"
            upload(file, profile(identifier=identifier))
            devices.append(device_of(enrolled(udid=identifier, serial_number=identifier)))
            for device in devices:
                run("profile", "assign", identifier, "--device", device.serial_number)
        work()
        with django_assert_num_queries(3):
            run("profile", "list")
        with django_assert_num_queries(3):
            run("profile", "status", "--device", devices[0].serial_number)
