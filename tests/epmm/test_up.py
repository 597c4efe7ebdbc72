import os
import re
import signal
import socket
import ssl
import stat
import subprocess
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from http.client import HTTPException, HTTPSConnection
from pathlib import Path

import pytest
from django.core.management.base import CommandError

from epmm import dev_tls, locks
from epmm.management.commands import up
from tests import migrated
from tests.epmm.processes import ROOT, eventually, is_alive
from tests.epmm.shell import Shell
from tests.migrated import DATABASE_URL, new_database
from tests.ports import free_port

pytestmark = pytest.mark.long
on_both_databases = pytest.mark.service("database")
HOST = "mdm.example.test"


class Installation:
    """An installation of its own: data directory, port, database."""

    def __init__(self, directory: Path, database: str, *, is_empty: bool = False) -> None:
        self.data = directory / "data"
        if not database and not is_empty:
            migrated.copy_into(self.data)
        self.port = free_port()
        self.log_file = directory / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self._shell: Shell | None = None
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("EPMM_", "DJANGO_"))}
        self.environment = kept | {"EPMM_DATA_DIR": str(self.data)}
        if database:
            self.environment |= {
                "EPMM_DATABASE_URL": database,
                "EPMM_SECRET_KEY": os.environ["EPMM_SECRET_KEY"],
                "EPMM_FIELD_KEYS": os.environ["EPMM_FIELD_KEYS"],
            }

    def command(self, *options: str) -> list[str]:
        return [sys.executable, str(ROOT / "manage.py"), "up", f"--public-url=https://{HOST}:{self.port}", *options]

    def start(self, *options: str) -> None:
        with self.log_file.open("wb") as output:
            command = self.command(*options)
            process = subprocess.Popen(command, env=self.environment, stdout=output, stderr=subprocess.STDOUT)
        self.process = process
        eventually(lambda: "| ready after" in self.log or not is_alive(process.pid), seconds=180)
        assert is_alive(process.pid), self.log

    def refused(self, *options: str) -> str:
        """Start, and be refused; what was said, without the interpreter's warnings."""
        command = self.command(*options)
        said = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60, check=False)
        assert (said.returncode, said.stdout) == (1, "")
        return said.stderr

    def python(self, code: str) -> str:
        """Run code with the product's settings, as an operator might in `manage.py shell`."""
        self._shell = self._shell or Shell(self.environment)
        return self._shell.run(code)

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    def children(self, name: str) -> list[int]:
        """Process ids of the gateway or the worker, in the order of their starts."""
        return [int(number) for number in re.findall(rf"\| {name} is process (\d+)\n", self.log)]

    def all_processes(self) -> list[int]:
        assert self.process is not None
        return [self.process.pid, *self.children("gateway"), *self.children("worker")]

    def answers(self) -> bool:
        try:
            return self.get("/healthz") == 200
        except (OSError, HTTPException):
            return False

    def get(self, path: str, *, authority: Path | None = None) -> int:
        """Ask as a device does: by the public name, trusting the authority that it was given."""
        trust = ssl.create_default_context(cafile=authority or self.data / "tls" / "ca.pem")
        connection = HTTPSConnection(HOST, self.port, timeout=60)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        with closing(connection), trust.wrap_socket(plain, server_hostname=HOST) as connection.sock:
            connection.request("GET", path)
            return connection.getresponse().status

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self._shell is not None:
            self._shell.close()
            self._shell = None
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with running(Installation(tmp_path, new_database() if DATABASE_URL else "")) as made:
        yield made


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """For tests that leave it as it was."""
    with running(Installation(tmp_path_factory.mktemp("started"), new_database() if DATABASE_URL else "")) as made:
        made.start()
        yield made


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Installation]:
    database = new_database(is_empty=True) if DATABASE_URL else ""
    with running(Installation(tmp_path, database, is_empty=True)) as made:
        yield made


@contextmanager
def running(made: Installation) -> Iterator[Installation]:
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


@on_both_databases
def test_first_start_then_a_later_one(empty: Installation) -> None:
    empty.start()

    assert empty.get("/healthz") == 200
    password = re.search(r"one-time password (\S+)", empty.log)
    assert password
    assert (empty.data / "public_url").read_text() == f"https://{HOST}:{empty.port}\n"
    assert str(empty.data / "tls" / "ca.pem") in empty.log
    assert readable_by_others(empty.data) == {"ca.pem", "server.pem"}

    processes = empty.all_processes()
    assert len(processes) == 3
    assert empty.stop() == 0
    assert not any(map(is_alive, processes))

    empty.start()
    assert empty.get("/healthz") == 200
    assert "password" not in empty.log


def readable_by_others(directory: Path) -> set[str]:
    return {path.name for path in directory.rglob("*") if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077}


@pytest.mark.parametrize("name", ["gateway", "worker"])
def test_a_killed_child_comes_back(started: Installation, name: str) -> None:
    other = "worker" if name == "gateway" else "gateway"
    before, others = started.children(name), started.children(other)
    os.kill(before[-1], signal.SIGKILL)

    eventually(lambda: len(started.children(name)) == len(before) + 1)
    # not refused in the meantime: the supervisor holds the socket, and the caller waits in its backlog
    assert started.get("/healthz") == 200
    assert started.children(other) == others


@on_both_databases
def test_a_killed_supervisor_leaves_nothing_and_starts_again_at_once(started: Installation) -> None:
    processes = started.all_processes()
    started.stop(signal.SIGKILL)
    started.start()

    assert started.get("/healthz") == 200
    assert not any(map(is_alive, processes))


def test_a_second_start_on_the_same_data_is_refused(started: Installation) -> None:
    assert started.refused() == f"CommandError: EPMM is already running on {started.data}\n"
    assert started.get("/healthz") == 200


def test_a_command_loads_what_it_needs(started: Installation) -> None:
    """Pages and API take as long again as all the rest."""
    code = "import sys, manage; manage.main(); print(*sys.modules)"
    command = [sys.executable, "-c", code, "setting", "general.enterprise_name"]
    done = subprocess.run(command, cwd=ROOT, env=started.environment, stdout=subprocess.PIPE, text=True, check=True)

    assert "epmm.settings_store" in done.stdout.split()
    assert not {"epmm.urls", "rest_framework", "celery"} & {*done.stdout.split()}


def test_a_port_that_is_taken_is_said_at_once(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", installation.port)):
        said = installation.refused()

    assert said.startswith(
        f"CommandError: cannot listen on any address, port {installation.port}: Address already in use"
    )
    assert said.count("\n") == 1


def test_certificates_of_the_operator_are_served(installation: Installation, tmp_path: Path) -> None:
    own = dev_tls.ensure(tmp_path / "own", host=HOST, now=datetime.now(UTC))
    installation.start("--tls-certificate", str(own.certificate), "--tls-key", str(own.key))

    assert installation.get("/healthz", authority=own.ca) == 200
    assert "development CA" not in installation.log
    assert installation.stop(signal.SIGINT) == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--public-url=http://mdm.example.test"], "error: EPMM_PUBLIC_URL must look like https://"),
        (["--tls-key=/dev/null"], "CommandError: --tls-certificate and --tls-key must be two PEM files"),
        (["--public=https://mdm.example.test"], "CommandError: write --public-url and --data in full"),
    ],
)
def test_a_wrong_option_is_one_line(installation: Installation, options: list[str], said: str) -> None:
    line = installation.refused(*options)

    assert line.startswith(said)
    assert line.count("\n") == 1


def test_what_cannot_be_served_is_said() -> None:
    nothing = Path(os.devnull)
    with pytest.raises(CommandError, match="--tls-certificate and --tls-key must be two PEM files"):
        up.tls_files(nothing, nothing)
    with pytest.raises(CommandError, match=r"cannot listen on nowhere\.invalid"):
        up.listen("nowhere.invalid", free_port())


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_a_port_is_a_number(port: str) -> None:
    with pytest.raises(ArgumentTypeError, match="port number"):
        up.port_number(port)


def test_a_database_of_one_s_own_needs_secrets_of_one_s_own(installation: Installation) -> None:
    installation.environment["EPMM_DATABASE_URL"] = "postgresql://nobody@127.0.0.1:1/nothing"
    installation.environment.pop("EPMM_SECRET_KEY", None)

    assert "EPMM_SECRET_KEY is not set" in installation.refused()
    assert not (installation.data / "secrets").exists()


def test_a_database_that_is_not_there_is_one_line(installation: Installation) -> None:
    installation.environment |= {
        "EPMM_DATABASE_URL": "postgresql://nobody:a-password@127.0.0.1:1/nothing",
        "EPMM_SECRET_KEY": os.environ["EPMM_SECRET_KEY"],
        "EPMM_FIELD_KEYS": os.environ["EPMM_FIELD_KEYS"],
    }
    line = installation.refused()

    assert line.startswith("CommandError: the database cannot be used: ")
    assert (line.count("\n"), "a-password" in line) == (1, False)


def test_what_a_killed_start_left_behind_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "WAIT_FOR_ORPHANS", 0.2)

    with locks.held(tmp_path / "children.lock"), pytest.raises(CommandError, match="earlier start"):
        up.running_alone(tmp_path).__enter__()
