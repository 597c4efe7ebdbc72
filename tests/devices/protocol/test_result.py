import plistlib
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from devices.protocol.result import Status, decode_connect
from epmm.wire.errors import WireError

EXAMPLES = Path(__file__).parents[2] / "vectors" / "examples"
COMMAND = UUID("A3D0C1B2-4E5F-4A6B-9C7D-8E9F0A1B2C3D")
IDLE = {"UDID": "00008140-000A1B2C3D4E5F60", "Status": "Idle"}


@pytest.mark.parametrize(
    ("name", "status", "command"),
    [
        ("command-idle-adde", Status.IDLE, None),
        ("command-result-acknowledged", Status.ACKNOWLEDGED, COMMAND),
        ("command-result-error", Status.ERROR, COMMAND),
        ("command-result-commandformaterror", Status.COMMAND_FORMAT_ERROR, COMMAND),
        ("command-result-notnow", Status.NOT_NOW, COMMAND),
    ],
)
def test_a_device_reports(name: str, status: Status, command: UUID | None) -> None:
    message = decode_connect((EXAMPLES / f"{name}.plist").read_bytes())

    assert (message.status, message.command) == (status, command)
    assert message.sender.device_key == message.sender.udid == "00008140-000A1B2C3D4E5F60"


def test_a_user_enrollment_reports_by_its_enrollment_id() -> None:
    message = decode_connect((EXAMPLES / "command-idle-byod.plist").read_bytes())

    assert (message.sender.udid, message.sender.device_key) == ("", "5B0F6B0C-2E0B-4B3E-9E36-7C1C1F6D7A11")


def test_the_user_of_a_mac_reports_for_a_channel_of_his_own() -> None:
    message = decode_connect(plistlib.dumps(IDLE | {"UserID": "F17C470A", "NotOnConsole": False}))

    assert (message.sender.device_key, message.sender.user_key) == (IDLE["UDID"], "F17C470A")


@pytest.mark.parametrize(
    "keys",
    [
        {"Status": "Acknowledged"},
        {"Status": "Acknowledged", "CommandUUID": "not one of ours"},
        {"Status": "Acknowledged", "CommandUUID": ""},
        {"Status": "Idle", "CommandUUID": str(COMMAND)},
    ],
)
def test_no_command_of_ours_can_be_meant(keys: dict[str, str]) -> None:
    assert decode_connect(plistlib.dumps(IDLE | keys)).command is None


@pytest.mark.parametrize(
    "keys",
    [
        {"Status": "Busy"},
        {"Status": 1},
        {"Status": "Acknowledged", "CommandUUID": 7},
        {"UDID": ""},
        {"UDID": 7},
        {"UDID": "x" * 129},
        {"UserID": ["x"]},
    ],
)
def test_what_is_no_report_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        decode_connect(plistlib.dumps(IDLE | keys))


def test_text_that_no_database_holds_is_refused() -> None:
    with pytest.raises(WireError, match="UDID"):
        decode_connect(plistlib.dumps(IDLE | {"UDID": "a\0b"}, fmt=plistlib.FMT_BINARY))


def test_a_report_without_status_is_refused() -> None:
    with pytest.raises(WireError, match="Status"):
        decode_connect(plistlib.dumps({"UDID": "x"}))
