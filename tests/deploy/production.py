"""The production profile in real processes: device doors and front doors on sockets that outlive them.

`Production` plays systemd; `nginx` and `haproxy` start the real programs with the files of `deploy/`, in which only
places change: paths, ports, accounts.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2

from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family, Hardware
from enrollment.simulator.network import Network
from epmm import bootstrap, dev_tls
from tests.epmm.processes import ROOT, eventually
from tests.epmm.shell import Shell
from tests.migrated import DATABASE_URL, copy_into, new_database
from tests.ports import free_port

HOST: Final = "mdm.example.test"
PASSWORD: Final = "correct horse battery"
DEPLOY: Final = ROOT / "deploy"
# The units of one machine; a proxy's file names the same ones.
UNITS: Final = ("gateway-1", "gateway-2", "web-1", "web-2")

SET_UP: Final = """
import os
from django.core.management import call_command
from users.models import Role
from users.services import people
call_command("prepare", stdout=open(os.devnull, "w"))
call_command("setting", "ios.mdm.account_driven_device_enrollment", "on", stdout=open(os.devnull, "w"))
new = people.NewPerson(
    user_id="anna", managed_apple_account="anna@mdm.example.test", password=PASSWORD, roles=(Role.ADDE,)
)
people.create(new, actor="test")
"""
# What systemd does before it starts a unit: the socket becomes descriptor 3, and the process is told that it is meant.
LAUNCH: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


class Production:
    """One machine.  Its Unix sockets, and their listeners, stay while processes come and go."""

    def __init__(self, directory: Path, environment: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.run = directory / "run"
        self.run.mkdir()
        self.port = free_port()
        self.figures_port = free_port()
        if not DATABASE_URL:
            copy_into(self.data)
        bootstrap.make_secrets(self.data)
        self.tls = dev_tls.ensure(self.data / "tls", host=HOST, now=datetime.now(UTC))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("EPMM_", "DJANGO_"))}
        self.environment = kept | {
            "EPMM_DATA_DIR": str(self.data),
            "EPMM_PUBLIC_URL": f"https://{HOST}:{self.port}",
            "EPMM_TRUSTED_PROXIES": "unix",
            "EPMM_SECRET_KEY_FILE": str(self.data / "secrets" / "secret_key"),
            "EPMM_FIELD_KEYS_FILE": str(self.data / "secrets" / "field_keys"),
            **(environment or {}),
        }
        self._shell: Shell | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._listeners = {name: self._listener(name) for name in UNITS}

    def _listener(self, name: str) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.run / f"{name}.sock"))
        listener.listen(128)
        return listener

    def python(self, code: str) -> str:
        self._shell = self._shell or Shell(self.environment)
        return self._shell.run(code)

    def switch(self, name: str, value: str) -> None:
        """And wait until every process has seen it."""
        self.python(f"from django.core.management import call_command; call_command('setting', {name!r}, {value!r})")
        time.sleep(1.1)

    def start(self, *names: str) -> None:
        for name in names or UNITS:
            number = self._listeners[name].fileno()
            program = [str(ROOT / "manage.py"), name.partition("-")[0]]
            command = [sys.executable, "-c", LAUNCH, str(number), *program]
            with (self.directory / f"{name}.log").open("ab") as output:
                self._processes[name] = subprocess.Popen(
                    command, env=self.environment, stdout=output, stderr=subprocess.STDOUT, pass_fds=[number]
                )

    def stop(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        process = self._processes.pop(name)
        process.send_signal(number)
        return process.wait(60)

    def log(self, name: str) -> str:
        return (self.directory / f"{name}.log").read_text()

    def ask(self, name: str, method: str, path: str, **options: Any) -> httpx2.Response:
        """As a process of this machine that may use the socket."""
        transport = httpx2.HTTPTransport(uds=str(self.run / f"{name}.sock"))
        with httpx2.Client(transport=transport, base_url="http://localhost", timeout=60) as client:
            return client.request(method, path, **options)

    def until_answering(self) -> None:
        for name in UNITS:
            assert self.ask(name, "GET", "/healthz").status_code == 200, self.log(name)

    def device(self, family: Family = Family.IPHONE, **options: Any) -> SimulatedDevice:
        ready: dict[str, Any] = {"hardware": Hardware.new(family), "ports": {HOST: self.port}}
        network = Network(trust=self.tls.ca)
        return SimulatedDevice(f"anna@{HOST}", network=network, **(ready | options))

    def close(self) -> None:
        if self._shell is not None:
            self._shell.close()
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(60)
            process.kill()
        for listener in self._listeners.values():
            listener.close()


@contextmanager
def production(**environment: str) -> Iterator[Production]:
    # not below pytest's own: the name of a Unix socket has 107 bytes at most
    with tempfile.TemporaryDirectory(prefix="epmm-") as name:
        database = {"EPMM_DATABASE_URL": new_database()} if DATABASE_URL else {}
        machine = Production(Path(name), database | environment)
        try:
            machine.python(SET_UP.replace("PASSWORD", repr(PASSWORD)))
            machine.start()
            machine.until_answering()
            yield machine
        finally:
            machine.close()


@contextmanager
def nginx(machine: Production) -> Iterator[None]:
    directory = machine.directory / f"nginx-{secrets.token_hex(4)}"
    directory.mkdir()
    chain, key = directory / "fullchain.pem", directory / "privkey.pem"
    shutil.copy(machine.tls.certificate, chain)
    shutil.copy(machine.tls.key, key)
    ports = {"443": machine.port, "80": free_port(), "127.0.0.1:9180": machine.figures_port}
    text = (DEPLOY / "nginx" / "epmm.conf").read_text()
    text = re.sub(r"^ +listen \[::\]:.*\n", "", text, flags=re.MULTILINE)  # a machine of the tests may lack IPv6
    text = re.sub(r"listen ([\d.:]+)", lambda found: f"listen 127.0.0.1:{ports[found[1]]}", text)
    text = text.replace("/run/epmm/", f"{machine.run}/").replace("/etc/epmm/tls/", f"{directory}/")
    text = text.replace("/var/log/nginx/", f"{directory}/").replace("mdm.example.com", HOST)
    (directory / "epmm.conf").write_text(text)
    account = "user root;" if os.geteuid() == 0 else ""
    places = " ".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    main = (DEPLOY / "nginx" / "nginx.conf").read_text().replace("user www-data;", f"daemon off; {account}")
    main = main.replace("worker_processes auto;", "worker_processes 1;").replace("/run/nginx.pid", f"{directory}/pid")
    main = re.sub(r"include /etc/nginx/modules.*\n", "", main).replace("/var/log/nginx/", f"{directory}/")
    main = main.replace("include /etc/nginx/conf.d/*.conf;", f"{places} include {directory}/epmm.conf;")
    (directory / "nginx.conf").write_text(main)
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    command = [program, "-p", str(directory), "-e", f"{directory}/error.log", "-c", f"{directory}/nginx.conf"]
    with _running(command, machine.port, directory):
        yield


@contextmanager
def haproxy(machine: Production) -> Iterator[None]:
    directory = machine.directory / f"haproxy-{secrets.token_hex(4)}"
    directory.mkdir()
    pem = directory / "haproxy.pem"
    pem.write_bytes(machine.tls.certificate.read_bytes() + machine.tls.key.read_bytes())
    text = (DEPLOY / "haproxy" / "haproxy.cfg").read_text()
    ports = {":443": machine.port, ":80": free_port(), "127.0.0.1:9180": machine.figures_port}
    text = re.sub(r"^    bind (\S+)", lambda found: f"    bind 127.0.0.1:{ports[found[1]]}", text, flags=re.MULTILINE)
    text = text.replace("/run/epmm/", f"{machine.run}/").replace("/etc/epmm/tls/haproxy.pem", str(pem))
    text = text.replace("/dev/log", "stdout format raw")
    text = text.replace("/etc/ssl/certs/ca-certificates.crt", str(machine.tls.ca))
    text = re.sub(r"^    (user|group) .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"maxconn \d+", "maxconn 500", text)  # as the limits of a container allow
    configuration = directory / "haproxy.cfg"
    configuration.write_text(text)
    program = shutil.which("haproxy") or "/usr/sbin/haproxy"
    with _running([program, "-db", "-f", str(configuration)], machine.port, directory):
        yield


PROXIES: Final = {"nginx": nginx, "haproxy": haproxy}


@contextmanager
def _running(command: Sequence[str], port: int, directory: Path) -> Iterator[None]:
    with ExitStack() as stack:
        output = stack.enter_context((directory / "output").open("wb"))
        process = stack.enter_context(subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT))
        stack.callback(process.terminate)
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None, (directory / "output").read_text()
            assert time.monotonic() < deadline
            try:
                socket.create_connection(("127.0.0.1", port), timeout=5).close()
                break
            except OSError:
                time.sleep(0.02)
        yield


def written(directory: Path, pattern: str) -> str:
    """All that a proxy said in its logs, whichever of its directories it is in."""
    return "".join(path.read_text() for path in sorted(directory.glob(pattern)))


__all__ = ["PROXIES", "Production", "eventually", "production", "written"]
