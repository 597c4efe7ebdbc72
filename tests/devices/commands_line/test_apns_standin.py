"""`manage.py apns_standin`: what a laboratory has of it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from django.core.management import call_command
from django.core.management.base import CommandError

from devices import apns
from devices.apns import PushIdentity, Server
from devices.management.commands.apns_standin import read_script
from devices.protocol.push import Outcome, Push, Verdict

ROOT = Path(__file__).resolve().parents[3]
TOPIC = "com.apple.mgmt.External.5f5f5f5f-2222-4333-8444-555555555555"


def manage(data: Path, *arguments: str) -> list[str]:
    return [sys.executable, "manage.py", "apns_standin", "--data", str(data), *arguments]


@contextmanager
def stand_in(data: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    with subprocess.Popen(
        manage(data, "--port", "0", *arguments),
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip()


def push_to(port: int, data: Path, pem: Path, token: bytes) -> Outcome:
    try:
        (outcome,) = apns.push(
            [Push(token=token, magic="secret-magic", topic=TOPIC, expiration=0)],
            identity=PushIdentity(certificate=pem.read_bytes(), key=pem.read_bytes()),
            server=Server(host="localhost", port=port, trust=data / "apns-lab" / "ca.pem"),
            seconds=60,
        )
    finally:
        apns.shut_down()
    return outcome


def test_a_laboratory_from_nothing(tmp_path: Path) -> None:
    pem = tmp_path / "push.pem"
    made = subprocess.run(
        manage(tmp_path, "--push-certificate", str(pem), "--topic", TOPIC),
        cwd=ROOT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.strip() == f"{pem}: certificate and key for {TOPIC}"
    assert pem.stat().st_mode & 0o777 == 0o600
    assert TOPIC in x509.load_pem_x509_certificate(pem.read_bytes()).subject.rfc4514_string()

    gone = bytes(range(8, 16))
    with stand_in(tmp_path, "--answer", f"{gone.hex()}=410:Unregistered") as process:
        port = int(line(process).split(",")[0].rpartition(":")[2])
        assert push_to(port, tmp_path, pem, bytes(range(8))).kind is Verdict.ACCEPTED
        assert push_to(port, tmp_path, pem, gone).kind is Verdict.UNREGISTERED
        told = [line(process), line(process)]
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)

    assert told[0].startswith(f"200  00010203...  topic={TOPIC} priority=10 expiration=0 id=")
    assert told[1].startswith("410 Unregistered  08090a0b...  ")
    assert "secret-magic" not in "".join(told)
    assert "04050607" not in "".join(told)
    assert (process.returncode, rest, errors) == (0, "", "")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"push_certificate": Path("push.pem")}, "needs --topic"),
        ({"answer": ["nonsense"]}, "is not TOKENHEX="),
        ({"answers": Path("missing.txt")}, "No such file"),
        ({"ca": Path("missing.pem")}, "No such file"),
    ],
)
def test_what_cannot_work_is_said_in_a_line(options: dict[str, object], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("apns_standin", **options)


def test_answers_come_from_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("00=500\n\n01=none\n")
    options = {"answers": tmp_path / "answers", "answer": ["00=503:Shutdown"], "goaway_reason": ""}
    numbers = dict.fromkeys(("streams", "delay", "goaway_after", "reset_every", "drop_after"), 3)

    script = read_script(options | numbers)

    assert {token: answer.status for token, answer in script.answers.items()} == {"00": 503, "01": 0}
