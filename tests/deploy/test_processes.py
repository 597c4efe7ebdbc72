"""Doors as processes of their own: whom they believe, and how they come and go."""

import signal
import socket
import subprocess
import sys
import threading
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest
from django.core.management.base import CommandError

from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.mdm_link import Proof
from epmm.management import serving
from tests.deploy.production import PASSWORD, PROXIES, Production
from tests.deploy.test_proxies import idle, in_words
from tests.epmm.processes import ROOT, eventually
from tests.ports import free_port

pytestmark = pytest.mark.service("sqlite")


@pytest.fixture(scope="module")
def enrolled(machine: Production) -> Iterator[SimulatedDevice]:
    """By way of nginx; then the proxy is gone."""
    with PROXIES["nginx"](machine):
        device = machine.device(proof=Proof.SIGNATURE)
        device.enroll(password=PASSWORD)
    yield device
    device.network.close()


@contextmanager
def on_a_port(machine: Production, kind: str, **environment: str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, str(ROOT / "manage.py"), kind, "--bind", f"127.0.0.1:{port}"]
    with subprocess.Popen(command, env=machine.environment | environment) as process:
        try:
            eventually(lambda: answers(port))
            yield port
        finally:
            process.terminate()


def caller(port: int, address: str = "127.0.0.1") -> httpx2.Client:
    transport = httpx2.HTTPTransport(local_address=address)
    return httpx2.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=60)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    with caller(port) as client:
        return client.get("/healthz").status_code == 200


@pytest.mark.service("nginx")
def test_a_header_counts_from_a_trusted_address_only(machine: Production, enrolled: SimulatedDevice) -> None:
    assert enrolled.identity is not None
    with on_a_port(machine, "gateway", EPMM_TRUSTED_PROXIES="unix,127.0.0.2") as port:
        for address, status in (("127.0.0.1", 403), ("127.0.0.2", 200)):
            for value in in_words(enrolled.identity).values():
                with caller(port, address) as client:
                    answer = client.put("/mdm/connect", content=idle(enrolled), headers={"Client-Cert": value})
                    assert answer.status_code == status, address


@pytest.mark.service("nginx")
def test_a_header_counts_from_whom_the_socket_lets_in(machine: Production, enrolled: SimulatedDevice) -> None:
    assert enrolled.identity is not None
    headers = {"Client-Cert": in_words(enrolled.identity)["rfc9440"]}

    assert machine.ask("gateway-1", "PUT", "/mdm/connect", content=idle(enrolled), headers=headers).status_code == 200
    two = headers | {"X-SSL-Client-Cert": "another"}
    assert machine.ask("gateway-1", "PUT", "/mdm/connect", content=idle(enrolled), headers=two).status_code == 403


def test_each_door_answers_for_itself(machine: Production) -> None:
    assert machine.ask("gateway-1", "GET", "/healthz").content == b"ok\n"
    assert machine.ask("gateway-1", "GET", "/").status_code == 404
    assert machine.ask("web-1", "GET", "/").status_code == 200
    assert machine.ask("web-1", "PUT", "/mdm/connect").status_code == 503


SECONDS = 120  # one may wait for a process to drain and the next one to start


class Callers:
    """Some that call all the time; they remember what they were told."""

    def __init__(self, device: SimulatedDevice, port: int, count: int = 4) -> None:
        self.statuses: list[str] = []
        self._stop = threading.Event()
        self._device, self._port = device, port
        device.send_status("Idle")  # it looks the name up, which it cannot in several threads at once
        self._threads = [threading.Thread(target=self._call) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _call(self) -> None:
        identity = self._device.need(self._device.identity, "get_identity")
        client, body = self._device.network.presenting(identity), idle(self._device)
        base = self._device.membership.profile.server_url.partition("/mdm/")[0]
        while not self._stop.wait(0.15):
            for method, path, content in (("PUT", "/mdm/connect", body), ("POST", "/no/such/page", b"")):
                try:
                    self.statuses.append(
                        f"{path} {client.request(method, base + path, content=content, timeout=SECONDS).status_code}"
                    )
                except httpx2.TransportError as error:
                    self.statuses.append(f"{path} {type(error).__name__}")

    def ended(self) -> set[str]:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        return set(self.statuses)


@pytest.mark.parametrize("proxy", [pytest.param(name, marks=pytest.mark.service(name)) for name in PROXIES])
def test_a_rolling_restart_loses_nobody(machine: Production, enrolled: SimulatedDevice, proxy: str) -> None:
    with PROXIES[proxy](machine):
        enrolled.proof = Proof.NONE
        callers = Callers(enrolled, machine.port)
        for name in ("gateway-1", "web-1"):
            assert machine.stop(name) == 0
            machine.start(name)
            assert machine.ask(name, "GET", "/healthz").status_code == 200
        eventually(lambda: len(callers.statuses) > 16)
        statuses = callers.ended()
        enrolled.proof = Proof.SIGNATURE

    assert statuses == {"/mdm/connect 200", "/no/such/page 404"}


def test_figures_go_on_where_a_process_left_off(machine: Production) -> None:
    def asked() -> float:
        page = machine.ask("web-2", "GET", "/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).text
        name = 'epmm_front_request_seconds_count{endpoint="home",status="2xx"}'
        return next(float(line.split()[-1]) for line in page.splitlines() if line.startswith(name))

    machine.ask("web-1", "GET", "/")
    before = asked()
    machine.stop("web-1", signal.SIGKILL)
    machine.start("web-1")
    machine.ask("web-1", "GET", "/")

    assert asked() == before + 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "say where to listen"),
        (["--bind", "nonsense"], "must be unix:/PATH or HOST:PORT"),
    ],
)
def test_where_to_listen_must_be_said(machine: Production, options: list[str], said: str) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "gateway", *options]
    done = subprocess.run(command, env=machine.environment, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode != 0
    assert said in done.stderr


def test_where_nobody_can_listen_is_said() -> None:
    with pytest.raises(ArgumentTypeError, match="must be unix:/PATH or HOST:PORT"):
        serving.place("127.0.0.1:0")
    with pytest.raises(CommandError, match="cannot listen on unix:/no/such/folder/socket: No such file"):
        serving.opened(serving.place("unix:/no/such/folder/socket"))
