"""The command line against a server that runs: over a socket, and over TLS."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pytest_django.live_server_helper import LiveServer

from devices.models import Command, Device
from devices.services import seeding
from epmm import settings_store
from epmm.models import AuditEntry
from epmm_client import config
from epmm_client.commands.main import main
from tests.api.conftest import make_caller
from tests.providers import tls
from users.models import AdminRole
from users.services import api_credentials, api_tokens

pytestmark = pytest.mark.once


def epmm(*words: str) -> Result:
    return CliRunner().invoke(main, words, catch_exceptions=False)


@pytest.fixture
def server(transactional_db: None, live_server: LiveServer, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings_store.clear_cache()
    api_credentials.forget()
    scopes = set(AdminRole.values) - {AdminRole.API, AdminRole.SETTINGS_VIEW}
    _row, token = api_tokens.create(make_caller(), name="laptop", scopes=scopes, days=1, actor="test")
    monkeypatch.setenv(config.ADDRESS, live_server.url)
    monkeypatch.setenv(config.TOKEN, token)


def test_people_get_roles(server: None) -> None:
    settings_store.change("enrollment.domains", "corp.example.test", actor="test")
    assert json.loads(epmm("-o", "json", "users", "add", "mia", "--first-name", "Mia").stdout)["user_id"] == "mia"
    account = ("--managed-apple-account", "mia@corp.example.test")
    assert "apple.adde" in epmm("users", "assign-role", "MIA", "apple.adde", *account).stdout
    refused = epmm("users", "assign-role", "mia", "nonsense")
    assert (refused.exit_code, "roles/0" in refused.stderr) == (1, True)
    assert epmm("users", "show", "ben").exit_code == 5
    assert [row["user_id"] for row in json.loads(epmm("-o", "json", "users", "list", "m").stdout)] == ["mia"]


def test_a_device_is_found_and_locked(server: None) -> None:
    seeding.seed(devices=20, users=3)
    phone = Device.objects.filter(status="ACTIVE", platform="iOS", enrollment_type="adde").first()
    assert phone is not None
    serial, before = phone.serial_number, Command.objects.count()

    found = json.loads(epmm("-o", "json", "devices", "search", f'"common.SerialNumber" = "{serial}"').stdout)
    assert [row["common.uuid"] for row in found] == [str(phone.uuid)]
    assert epmm("devices", "count").stdout == "20\n"
    assert f'"common.uuid": "{phone.uuid}"' in epmm("-o", "json", "devices", "show", serial).stdout
    wrong = epmm("devices", "search", "common.status =")
    assert (wrong.exit_code, wrong.stderr.startswith("Error: ")) == (1, True)

    locked = epmm("devices", "lock", serial, "--note", "lost")
    assert (locked.exit_code, "true" in locked.stdout) == (0, True), locked.output
    assert Command.objects.count() == before + 1
    assert AuditEntry.objects.filter(actor="script", details__note="lost").exists()


def test_the_doctor_looks_at_a_server_that_runs(server: None) -> None:
    found = json.loads((ran := epmm("-o", "json", "doctor")).stdout)

    assert ran.exit_code == 1  # no worker runs here, and the server says so
    assert {row["subject"]: row["verdict"] for row in found if row["subject"] != "Roles"} == {
        "Reachable": "bad", "TLS": "doubtful", "Clock": "good", "Credentials": "good", "Version": "good",
    }  # fmt: skip
    assert [row["verdict"] for row in found if row["subject"] == "Roles"] == ["good"] * 4 + ["doubtful"]


def test_people_come_from_a_file_after_a_look_at_it(server: None, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text("user_id,last_name,roles\nmia,=Ito,portal portal.lock\n", encoding="utf-8")
    look = epmm("-o", "json", "users", "import", str(file), "--dry-run")
    assert [(row["name"], row["after"]) for row in json.loads(look.stdout)] == [
        ("last_name", "=Ito"), ("roles", ["portal", "portal.lock"]),
    ]  # fmt: skip
    assert epmm("users", "show", "mia").exit_code == 5
    assert "1 new, 0 changed" in epmm("users", "import", str(file)).stderr

    exported = epmm("users", "export")
    assert "mia,,'=Ito,,,,true,portal portal.lock," in exported.stdout
    file.write_text(exported.stdout, encoding="utf-8")
    assert "0 new, 0 changed, 2 as they were" in epmm("users", "import", str(file)).stderr
    file.write_text("user_id,phone\nmia,1\n", encoding="utf-8")
    refused = epmm("users", "import", str(file))
    assert (refused.exit_code, "'phone'" in refused.stderr) == (1, True)
    file.write_text("user_id\nno spaces\nben\n", encoding="utf-8")
    refused = epmm("users", "import", str(file))
    assert (refused.exit_code, "Line 2: " in refused.stderr) == (1, True)
    part = epmm("users", "import", str(file), "--partial")
    assert (part.exit_code, "1 new" in part.stderr, "Line 2: " in part.stderr) == (1, True, True)


class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        is_status = self.path == "/status/status.html"
        body = b"MOBILEIRON-STATUS: OK" if is_status else json.dumps({"results": {"vspVersion": "EPMM 1"}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def over_tls(tmp_path: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Healthy)
    server.socket = tls.server_context("mdm.example.test", tmp_path).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_an_authority_of_one_s_own_is_trusted_when_it_is_named(
    over_tls: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(config.TOKEN, "epmm_x")
    unknown = epmm("--server", over_tls, "api", "get", "ping")
    assert (unknown.exit_code, "--ca-file" in unknown.stderr) == (4, True)

    authority = str(tls.authority().write(tmp_path))
    assert epmm("--server", over_tls, "--ca-file", authority, "api", "get", "ping").exit_code == 0
    told = json.loads(epmm("-o", "json", "--server", over_tls, "--ca-file", authority, "doctor").stdout)
    [finding] = [row for row in told if row["subject"] == "TLS"]
    assert finding["sentence"].startswith("TLSv1.3; the certificate is trusted and ends in ")
    assert epmm("--server", over_tls, "--ca-file", str(tmp_path), "api", "get", "ping").exit_code == 3
