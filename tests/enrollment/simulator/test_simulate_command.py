import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from enrollment.management.commands import simulate
from enrollment.simulator import cms
from enrollment.simulator.network import Network
from tests.enrollment.simulator.laboratory import ACCOUNT, ORIGIN, PASSWORD, TOKEN, Laboratory

Play = Callable[..., str]


@pytest.fixture
def play(laboratory: Laboratory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, settings: Any) -> Iterator[Play]:
    """The command with the laboratory in place of the network; what it says on standard output."""
    settings.DATA_DIR = tmp_path

    def network(*, trust: Path) -> Network:
        assert trust == settings.TLS_DIR / "ca.pem"
        return Network(transport=httpx2.MockTransport(laboratory.handle))

    monkeypatch.setattr(simulate, "Network", network)
    levels = {name: logging.getLogger(name).level for name in ("httpx2", "httpcore2")}

    def run(*arguments: str, password: str | None = PASSWORD) -> str:
        output = io.StringIO()
        given = ["--password-stdin"] if password is not None else []
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        call_command("simulate", ACCOUNT, *given, *arguments, stdout=output)
        return output.getvalue()

    yield run
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def test_each_step_has_its_line(play: Play, laboratory: Laboratory) -> None:
    laboratory.order("ProfileList")

    lines = play("--check-out").splitlines()

    steps = [
        "discovery",
        "enrollment request",
        "sign-in",
        "profile",
        "Apple sign-in",
        "certificate",
        "Authenticate",
        "TokenUpdate",
        "connect",
        "CheckOut",
    ]
    assert len(lines) == len(steps)
    assert all(step in line and line.startswith("1/1 iPhone ") for step, line in zip(steps, lines, strict=True))
    assert all(" ms" in line for line in lines)
    assert lines[0].endswith(f"mdm-adde at {ORIGIN.removeprefix('https://')}")
    assert "ProfileList Acknowledged" in lines[8]
    assert TOKEN not in "".join(lines)


def test_three_macs_connect_twice_on_both_channels(play: Play, laboratory: Laboratory) -> None:
    lines = play("--count", "3", "--family", "Mac", "--connects", "2").splitlines()

    assert [sum(line.startswith(f"{number}/3 Mac") for line in lines) for number in (1, 2, 3)] == [14, 14, 14]
    assert len({result["UDID"] for result in laboratory.results}) == 3
    assert len(laboratory.results) == 3 * 2 * 2


def test_report_for_programs(play: Play) -> None:
    report = json.loads(play("--json", "--udid", "U-1", "--serial", "S1", "--connects", "0"))

    (device,) = report["devices"]
    assert (device["family"], device["udid"], device["serial"]) == ("iPhone", "U-1", "S1")
    assert [step["name"] for step in device["steps"]][-1] == "TokenUpdate"
    assert all(step["seconds"] >= 0 and not step["problem"] for step in device["steps"])


def test_refusal_is_one_line_and_stops_the_rest(play: Play, laboratory: Laboratory) -> None:
    with pytest.raises(CommandError) as error:
        play("--count", "3", password="wrong")

    assert "This password is wrong. (E-201)" in str(error.value)
    assert "\n" not in str(error.value)
    assert len(laboratory.requests_of("discovery")) == 1


def test_refusal_is_in_the_report_too(play: Play) -> None:
    output = io.StringIO()
    with pytest.raises(CommandError):
        call_command("simulate", ACCOUNT, "--pin", "1", "--json", stdout=output)

    last = json.loads(output.getvalue())["devices"][0]["steps"][-1]
    assert last["name"] == "sign-in"
    assert "current-password" in last["problem"]


def test_enrollment_that_the_server_ends_is_no_failure(play: Play, laboratory: Laboratory) -> None:
    laboratory.order("EraseDevice")

    assert "EraseDevice Acknowledged" in play("--connects", "2", "--check-out")
    assert [message["MessageType"] for message in laboratory.check_ins] == ["Authenticate", "TokenUpdate"]


def test_devices_come_from_the_laboratory(play: Play, laboratory: Laboratory, tmp_path: Path) -> None:
    play("--connects", "0")
    play("--connects", "0")

    makers = {cms.verify(request.content).signer.issuer for request in laboratory.requests_of("challenge")}
    assert len(makers) == 1
    assert (tmp_path / "lab" / "device-ca.pem").is_file()


def test_damaged_laboratory_is_named(play: Play, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "device-ca.pem").write_text("damaged")

    with pytest.raises(CommandError, match="lab: the CA of the laboratory"):
        play()


def test_client_does_not_log_addresses(play: Play, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    play()

    assert [record for record in caplog.records if record.name.startswith(("httpx2", "httpcore2"))] == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "needs a password"),
        (["--pin", "1", "--count", "0"], "at least 1"),
        (["--pin", "1", "--connects", "-1"], "at least 0"),
        (["--pin", "1", "--count", "2", "--udid", "x"], "one device"),
        (["--pin", "1", "--count", "2", "--serial", "x"], "one device"),
        (["--pin", "1", "--family", "Watch"], "invalid choice"),
    ],
)
def test_impossible_wish_is_refused(play: Play, laboratory: Laboratory, arguments: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        play(*arguments, password=None)

    assert laboratory.requests == []


@pytest.mark.parametrize(
    ("url", "ports"),
    [
        ("https://mdm.example.test:8443", {"mdm.example.test": 8443}),
        ("https://mdm.example.test", {}),
    ],
)
def test_only_the_public_host_has_a_port_of_its_own(settings: Any, url: str, ports: dict[str, int]) -> None:
    settings.PUBLIC_URL = url

    assert simulate._public_port() == ports


def test_password_that_is_no_text_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="utf-8"))

    with pytest.raises(CommandError, match="not valid text"):
        call_command("simulate", ACCOUNT, "--password-stdin")
