"""What somebody at a terminal sees."""

import csv
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from epmm_client import EpmmError, Unreachable, config, doctor
from epmm_client.commands.main import main
from tests.client.conftest import ADDRESS, TOKEN, client, run

UUID = "9b0da853-0000-0000-0000-f4b5457299cf"
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(config.ADDRESS, ADDRESS)
    monkeypatch.setenv(config.TOKEN, TOKEN)


def devices(_request: httpx2.Request) -> httpx2.Response:
    rows = [
        {"common.uuid": UUID, "ios.DeviceName": "=cmd()", "common.status": "ACTIVE"},
        {"common.uuid": "other", "ios.DeviceName": "Mia's\x1b[31m\niPad", "common.status": None},
    ]
    return httpx2.Response(200, json={"results": rows, "hasMore": False})


def acted(request: httpx2.Request) -> httpx2.Response:
    assert request.headers["Idempotency-Key"]
    if UUID not in request.url.path:
        return httpx2.Response(404, json={"detail": "There is no such device."})
    if json.loads(request.content)["note"] == "forbidden":
        return httpx2.Response(403, json={"detail": "This needs a role."})
    return httpx2.Response(200, json={"action": "lock", "said": "Queued"})


def test_rows_are_a_table_that_no_terminal_obeys(signed_in: None) -> None:
    result = run(devices, "devices", "search", "x", "--fields", "common.uuid, ios.DeviceName")

    lines = result.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["UUID", UUID, "other"]
    assert lines[2].endswith("Mia's\N{REPLACEMENT CHARACTER}[31m iPad")


def test_rows_are_csv_without_formulas(signed_in: None) -> None:
    result = run(devices, "-o", "csv", "devices", "search", "x", "--fields", "ios.DeviceName,common.status")

    rows = list(csv.reader(result.stdout.splitlines(keepends=True)))
    assert rows[:2] == [["ios.DeviceName", "common.status"], ["'=cmd()", "ACTIVE"]]


def test_rows_are_json(signed_in: None) -> None:
    assert len(json.loads(run(devices, "-o", "json", "devices", "search", "x").stdout)) == 2
    empty = run(lambda _request: httpx2.Response(200, json={"items": []}), "-o", "json", "roles")
    assert json.loads(empty.stdout) == []


@pytest.mark.parametrize(("told", "columns"), [({}, ""), ({"devices": [UUID]}, ",devices")], ids=["unseen", "seen"])
def test_a_column_that_may_not_be_seen_is_none(signed_in: None, told: dict[str, Any], columns: str) -> None:
    """An empty one would take all devices from the label when the file comes back."""
    label = {"name": "Sales", "description": "", "kind": "manual", "criteria": ""} | told
    exported = run(lambda _request: httpx2.Response(200, json={"items": [label], "next": None}), "labels", "export")

    assert exported.stdout.splitlines()[0] == f"name,description,kind,criteria{columns}"


@pytest.mark.parametrize(
    ("words", "typed", "status", "said"),
    [
        (["lock", UUID], "", 0, "Queued"),
        (["lock", UUID.replace("9", "8"), UUID], "", 1, "There is no such device."),
        (["lock", UUID.replace("9", "8"), UUID], "", 1, "Queued"),
        (["lock", UUID, "--note", "forbidden"], "", 3, "This needs a role."),
        (["wipe", UUID, "--note", "lost"], "2\n", 1, "Aborted!"),
        (["wipe", UUID, "--note", "lost"], "1\n", 0, "Queued"),
        (["wipe", UUID, "--note", "lost", "--yes"], "", 0, "Queued"),
        (["wipe", UUID, "--yes"], "", 2, "--note"),
        (["retire", UUID], "n\n", 1, "Aborted!"),
        (["retire", UUID], "y\n", 0, "Queued"),
        (["retire", UUID], "", 1, "Aborted!"),
    ],
)
def test_what_cannot_be_undone_is_asked_for(
    signed_in: None, words: list[str], typed: str, status: int, said: str
) -> None:
    result = run(acted, "devices", *words, typed=typed)

    assert result.exit_code == status
    assert said in result.output


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (httpx2.Response(401, json={}), 3),
        (httpx2.Response(403, json={}), 3),
        (httpx2.Response(404, json={}), 5),
        (httpx2.Response(422, json={"detail": "No.", "instance": "urn:request:abc"}), 1),
        (httpx2.Response(429, json={}), 4),
        (httpx2.ConnectError("refused"), 4),
    ],
)
def test_each_failure_has_its_exit_status(
    signed_in: None, answer: httpx2.Response | httpx2.TransportError, status: int
) -> None:
    def server(_request: httpx2.Request) -> httpx2.Response:
        if isinstance(answer, httpx2.TransportError):
            raise answer
        return answer

    result = run(server, "roles")
    assert result.exit_code == status
    assert result.stderr.startswith("Error: ")
    assert ("abc" in result.stderr) == (status == 1)


def test_without_a_server_nothing_is_asked() -> None:
    assert run(devices, "roles").exit_code == 3
    assert run(devices, "--profile", "gone", "--server", ADDRESS, "roles").exit_code == 3
    assert run(devices, "--output", "xml", "roles").exit_code == 2


def test_a_token_that_proved_itself_is_kept_for_its_server_alone(tmp_path: Path) -> None:
    seen: list[tuple[str, str | None]] = []

    def server(request: httpx2.Request) -> httpx2.Response:
        seen.append((request.url.host, request.headers.get("Authorization")))
        return httpx2.Response(200, json={"results": {"vspVersion": "EPMM 1 "}, "items": []})

    assert run(server, "--profile", "lab", "--server", ADDRESS, "login", typed=f"{TOKEN}\n").exit_code == 0
    file = tmp_path / "config.ini"
    assert file.stat().st_mode & 0o777 == 0o600
    assert run(server, "--profile", "lab", "roles").exit_code == 0
    assert run(server, "--profile", "lab", "--server", "https://other.test", "roles").exit_code == 0
    assert seen[1:] == [("mdm.example.test", f"Bearer {TOKEN}"), ("other.test", None)]

    file.chmod(0o640)
    refused = run(server, "--profile", "lab", "roles")
    assert (refused.exit_code, "chmod 600" in refused.stderr) == (3, True)


def test_a_token_that_is_refused_is_not_kept(tmp_path: Path) -> None:
    result = run(lambda _request: httpx2.Response(401, json={}), "--server", ADDRESS, "login", typed="wrong\n")

    assert result.exit_code == 3
    assert not (tmp_path / "config.ini").exists()


def test_any_call_is_made(signed_in: None) -> None:
    def server(request: httpx2.Request) -> httpx2.Response:
        if request.method == "GET":
            following = None if "cursor" in request.url.params else "/api/v2/x/audit?cursor=b"
            return httpx2.Response(200, json={"items": [{"id": len(request.url.query)}], "next": following})
        told = {"if": request.headers["If-Match"], "body": json.loads(request.content)}
        return httpx2.Response(200, json=told, headers={"ETag": '"a"'})

    call = run(server, "api", "patch", "x/users/1", "-d", "@-", "-H", "If-Match: *", "-i", typed='{"a": 1}')
    assert json.loads(call.stdout) == {"if": "*", "body": {"a": 1}}
    assert 'etag: "a"' in call.stderr.lower()
    assert len(run(server, "api", "get", "x/audit", "--all").stdout.splitlines()) == 2
    for words in (["post", "x", "-d", "{"], ["post", "x", "-H", "nonsense"], ["post", "x", "--all"]):
        assert run(server, "api", *words).exit_code == 2


@pytest.mark.parametrize(
    ("shell", "word", "place"),
    [("bash", "complete -o", "2"), ("zsh", "#compdef epmm", "2"), ("fish", "complete --no-files --command epmm", "lo")],
)
def test_shells_complete(
    shell: str, word: str, place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The script that a shell reads, and what the command answers when that asks it at the press of a key."""
    script = run(devices, "completion", shell).stdout
    assert word in script
    assert f"_EPMM_COMPLETE={shell}_complete" in script

    asked = {"_EPMM_COMPLETE": f"{shell}_complete", "COMP_WORDS": "epmm devices lo", "COMP_CWORD": place}
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        main(prog_name="epmm")

    told = set(re.split(r"[,\t\n]", capsys.readouterr().out))
    assert {"lock", "lost", "unlock"} & told == {"lock", "lost"}


def test_it_starts_without_the_server_s_code() -> None:
    """From its folder alone, as it is installed; nothing of Django is there."""
    code = "import sys, epmm_client.commands.main; sys.exit('django' in sys.modules or 'epmm' in sys.modules)"
    folder = Path(__file__).parents[2] / "client"
    subprocess.run([sys.executable, "-c", code], cwd=folder, env={"PATH": os.environ["PATH"]}, check=True)


# --- epmm doctor ------------------------------------------------------------------------------------------------------


def examined(
    handler: Any, *, domain: str = "", discovered: Any = None, now: datetime = NOW
) -> dict[str, list[tuple[str, str]]]:
    def discover(_url: str) -> Any:
        if isinstance(discovered, EpmmError):
            raise discovered
        return discovered

    found: dict[str, list[tuple[str, str]]] = {}
    for finding in doctor.examine(client(handler), domain, now, discover):
        found.setdefault(finding.subject, []).append((finding.verdict, finding.sentence))
    return found


def healthy(request: httpx2.Request) -> httpx2.Response:
    headers = {"Date": NOW.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    if request.url.path == doctor.STATUS:
        return httpx2.Response(200, text="MOBILEIRON-STATUS: OK", headers=headers)
    if request.url.path.endswith("/audit"):
        return httpx2.Response(403, json={"detail": "This needs the role “View logs”."})
    return httpx2.Response(200, json={"results": {"vspVersion": "EPMM 1 "}})


def test_the_doctor_says_what_is_well_and_what_the_token_may_not() -> None:
    found = examined(healthy, now=NOW + timedelta(minutes=2))

    assert {subject: said[0][0] for subject, said in found.items()} == {
        "Reachable": "good", "TLS": "good", "Clock": "bad", "Credentials": "good", "Version": "good", "Roles": "good",
    }  # fmt: skip
    assert ("doubtful", "audit log: This needs the role “View logs”.") in found["Roles"]


def test_the_doctor_stops_where_there_is_no_server() -> None:
    def server(_request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused")

    assert [said[0][0] for said in examined(server, domain="example.test").values()] == ["bad"]
    ill = examined(lambda _request: httpx2.Response(503, text="MOBILEIRON-STATUS: DOWN"))
    assert (ill["Reachable"][0][0], ill["Clock"][0][0], ill["Credentials"][0][0]) == ("bad", "doubtful", "bad")


@pytest.mark.parametrize(
    ("discovered", "verdict"),
    [
        ({"Servers": [{"Version": "mdm-byod", "BaseURL": f"{ADDRESS}/enroll"}]}, "good"),
        ({"Servers": [{"Version": "mdm-byod", "BaseURL": "https://elsewhere.test/enroll"}]}, "doubtful"),
        ({"Servers": [{"Version": "other", "BaseURL": ADDRESS}]}, "bad"),
        ({"Servers": []}, "bad"),
        (["nonsense"], "bad"),
        (Unreachable("no answer"), "bad"),
    ],
)
def test_the_doctor_reads_the_discovery_document(discovered: Any, verdict: str) -> None:
    assert examined(healthy, domain="example.test", discovered=discovered)["Discovery"][0][0] == verdict
