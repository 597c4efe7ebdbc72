import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError

from devices.models import Declaration, DeclarationAssignment, Device
from epmm.models import AuditEntry
from tests.devices.commands_line.run import run, run_json
from tests.devices.configuration.profiles import profile
from tests.devices.declarations.rows import ENFORCE, PASSCODE, channel, iphone, report, synchronize, work
from tests.devices.services.rows import UDID
from tests.recorded import VECTORS

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone() -> Device:
    return iphone()


def payload(folder: Path, value: Any = None) -> str:
    file = folder / "payload.json"
    file.write_text(json.dumps({"MinimumLength": 6} if value is None else value))
    return str(file)


def test_a_declaration_is_made_shown_and_listed(phone: Device, tmp_path: Path) -> None:
    assert (
        run("declaration", "set", "passcode", PASSCODE, payload(tmp_path), "--predicate", "TRUEPREDICATE")
        == "passcode\n"
    )
    run("declaration", "assign", "passcode", UDID)

    shown = json.loads(run("declaration", "show", "passcode"))
    assert (shown["payload"], shown["predicate"]) == ({"MinimumLength": 6}, "TRUEPREDICATE")
    assert shown["devices"] == [str(phone.uuid)]
    (listed,) = run_json("declaration", "list")
    assert (listed["identifier"], listed["type"], listed["devices"]) == ("passcode", PASSCODE, 1)
    assert "passcode" in run("declaration", "list").splitlines()[1]
    assert {entry.actor for entry in AuditEntry.objects.all()} == {"manage.py"}


def test_examples_of_apple_are_taken_whole(tmp_path: Path) -> None:
    example = VECTORS / "examples/ddm-softwareupdate-enforcement.json"

    made = run_json("declaration", "set", "update", ENFORCE, str(example))

    assert (made["identifier"], made["type"]) == ("update", ENFORCE)
    assert Declaration.objects.get().payload["TargetOSVersion"] == "18.2"


def test_a_profile_is_declared_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "wifi.mobileconfig"
    file.write_bytes(profile())

    run("declaration", "set", "wifi", "com.apple.configuration.legacy", str(file))

    assert Declaration.objects.get().profile == file.read_bytes()
    assert len(json.loads(run("declaration", "show", "wifi"))["profile_sha256"]) == 64


def test_what_is_given_can_be_taken(phone: Device, tmp_path: Path) -> None:
    run("declaration", "set", "passcode", PASSCODE, payload(tmp_path))
    run("declaration", "assign", "passcode", "S1")
    run("declaration", "unassign", "passcode", "S1")
    assert not DeclarationAssignment.objects.exists()

    run("declaration", "remove", "passcode")
    work()
    assert not Declaration.objects.exists()


def test_an_update_in_one_command(phone: Device) -> None:
    made = run("declaration", "update", "S1", "--version", "18.3", "--by", "2036-12-01T20:00:00", "--build", "22D63")

    assert made.strip() == Declaration.objects.get().identifier
    assert Declaration.objects.get().payload == {
        "TargetOSVersion": "18.3",
        "TargetLocalDateTime": "2036-12-01T20:00:00",
        "TargetBuildVersion": "22D63",
    }


def test_status_says_what_became_of_it(phone: Device, tmp_path: Path) -> None:
    run("declaration", "set", "passcode", PASSCODE, payload(tmp_path))
    run("declaration", "assign", "passcode", "S1")
    work()
    assert "has not fetched" in run("declaration", "status", "S1")
    held = synchronize(channel(phone))["passcode"]
    state = {"identifier": "passcode", "server-token": held["ServerToken"], "active": True, "valid": "valid"}
    report(channel(phone), {"management": {"declarations": {"configurations": [state]}}})

    lines = run("declaration", "status", "S1").splitlines()

    assert re.fullmatch(r"Device: in step; last report 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC\.", lines[0])
    assert ["passcode", "applied"] in [line.split() for line in lines]
    (shown,) = run_json("declaration", "status", "S1")
    assert shown["status"] == {}


def test_status_before_it_is_switched_on() -> None:
    iphone(switched_on=False)

    assert "not switched on" in run("declaration", "status", "S1")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["show", "nothing"], "There is no declaration nothing."),
        (["assign", "nothing", "S1"], "There is no declaration nothing."),
        (["status", "nowhere"], "There is no device nowhere."),
        (["remove", "nothing"], "There is no declaration nothing."),
        (["set", "a", PASSCODE, "/nowhere/file.json"], "/nowhere/file.json: No such file"),
        (["update", "S1", "--version", "18", "--by", "tomorrow"], "This is no date with a time such as"),
        (["update", "S1", "--version", "18.3", "--by", "2036-12-01T20:00Z"], "without a zone"),
        (["update", "S1", "--version", "18.3", "--by", "2036-12-01T20:00:00+02:00"], "without a zone"),
        (["update", "S1", "--version", "18.3", "--by", "2020-12-01T20:00:00"], "This time has passed."),
        (["update", "S1", "--version", "soon", "--by", "2036-12-01T20:00:00"], "a version such as 18.2"),
    ],
)
def test_what_does_not_work_is_said_in_a_sentence(phone: Device, arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("declaration", *arguments)

    assert not Declaration.objects.exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "Payload is a dictionary"),
        (b" " * (1 << 20), "larger"),
    ],
    ids=["half", "no text", "deep", "list", "large"],
)
def test_a_file_that_is_no_payload(tmp_path: Path, content: bytes, sentence: str) -> None:
    file = tmp_path / "payload.json"
    file.write_bytes(content + b" ")

    with pytest.raises(CommandError, match=sentence):
        run("declaration", "set", "passcode", PASSCODE, str(file))
