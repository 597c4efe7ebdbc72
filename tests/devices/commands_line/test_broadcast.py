import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from devices import tasks
from devices.models import Broadcast, Command
from epmm.wire import plist
from tests.devices.services.rows import answered, device_of, enrolled

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> Any:
    out = io.StringIO()
    call_command("broadcast", *arguments, "--json", stdout=out)
    return json.loads(out.getvalue())


def begun(*arguments: str) -> str:
    uuid: str = run("send", *arguments)["broadcast"]
    tasks.queue_broadcast(Broadcast.objects.get(uuid=uuid).pk)
    return uuid


def test_its_way_can_be_followed_and_called_back(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        enrolled(udid=f"device-{number}")
    uuid = begun("SecurityInfo", "--platform", "iOS")
    answered(Command.objects.earliest("pk"))

    call_command("broadcast", "show", uuid)
    shown = set(capsys.readouterr().out.splitlines())
    assert {"queued: 3", "open: 2", "acknowledged: 1", "Nothing more will be queued."} <= shown
    assert run("cancel", uuid) == {"called_back": 2}
    tasks.call_back(Broadcast.objects.get(uuid=uuid).pk)
    assert run("show", uuid)["cancelled"] == 2
    assert [item["broadcast"] for item in run("list")] == [uuid]


def test_devices_may_be_named_in_a_file(tmp_path: Path) -> None:
    chosen = device_of(enrolled())
    enrolled(udid="another")
    names = tmp_path / "devices"
    names.write_text(f"{chosen.uuid}\n")

    assert run("show", begun("SecurityInfo", "--uuids", str(names)))["queued"] == 1


def test_a_payload_comes_from_a_file_and_refusals_are_told(tmp_path: Path) -> None:
    enrolled()
    payload = tmp_path / "payload.plist"
    payload.write_bytes(plist.dump({"PIN": "123456"}))
    uuid = begun("DeviceLock", "--payload", str(payload))

    told = run("show", uuid)
    assert (told["queued"], told["refused"], told["is_complete"]) == (0, 1, True)
    assert "iOS does not know the key PIN" in str(told["refusals"])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("send", "EraseDevice"), "Say --yes"),
        (("send", "ClearPasscode"), "one at a time"),
        (("send", "DeviceInfomation"), "Did you mean DeviceInformation?"),
        (("send", "SecurityInfo", "--uuids", "/nowhere"), "No such file"),
        (("send", "SecurityInfo", "--uuids", "/dev/null"), "Name at least one device"),
        (("send", "SecurityInfo", "--user", "nobody"), "There is no user nobody"),
        (("show", "7"), "There is no broadcast 7"),
        (("cancel", "00000000-0000-0000-0000-000000000000"), "There is no broadcast"),
    ],
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)
    assert not Broadcast.objects.exists()


def test_a_file_of_anything_else_names_no_device(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="is no UUID of a device"):
        run("send", "SecurityInfo", "--uuids", str(tmp_path / "file"))
