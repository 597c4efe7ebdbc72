"""What a whole enrollment costs: simulated devices over real HTTPS against `manage.py up`."""

import argparse
import os
import re
import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import httpx2

from bench import calibration, site, telling
from bench.counters import Database
from bench.processes import cpu_seconds, resident_megabytes, running, until_up
from bench.site import HERE, HOST, Site
from bench.telling import Telling
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family, Hardware
from enrollment.simulator.identity import Authority, name_of, new_rsa_key
from enrollment.simulator.network import Network
from tests.ports import free_port

INVENTORY_SECONDS: Final = 90
PASSWORD: Final = "correct horse battery"  # noqa: S105 -- of a person who lives as long as the bench
CHILDREN: Final = ("gateway", "worker")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="sqlite")
    parser.add_argument("--devices", type=int, default=50)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--family", choices=list(Family), default=Family.IPHONE.value)
    telling.add_argument(parser)


def main(options: argparse.Namespace) -> None:
    port = free_port()
    with site.opened(options.database, port=port) as here:
        about = {"database": here.about, "calibration": calibration.line(), "load": calibration.load()}
        told = Telling(as_json=options.json, devices=options.devices, at_once=options.at_once, **about)
        told.say(f"{here.about}\n{about['calibration']}\nload: {about['load']}\n")
        _prepare()
        log = here.directory / "up.log"
        command = [sys.executable, "manage.py", "up", "--host", HERE, "--port", str(port)]
        with running(command, environment=here.environment, log=log):
            pids = _children(log)
            crowd = Crowd(here, port, Family(options.family))
            crowd.enroll(0)  # what is made once, and every import
            _measure(here, crowd, pids, options, told)
            check(options.devices + 1)
        told.end()


def _prepare() -> None:
    from epmm import settings_store
    from users.models import Role
    from users.services import people

    settings_store.change("ios.mdm.account_driven_device_enrollment", "on", actor="bench")
    account = f"anna@{HOST}"
    new = people.NewPerson(user_id="anna", roles=[Role.ADDE], managed_apple_account=account, password=PASSWORD)
    people.create(new, actor="bench")


def _children(log: Path) -> dict[str, int]:
    """Once it answers."""
    found = re.findall(r"\| (\w+) is process (\d+)\n", until_up(log))
    return {name: int(pid) for name, pid in found if name in CHILDREN}


class Crowd:
    """Devices that share one key and one maker: making keys would be most of what they do."""

    def __init__(self, here: Site, port: int, family: Family) -> None:
        self._tls = ssl.create_default_context(cafile=here.directory / "data" / "tls" / "ca.pem")
        self._port, self._family, self._key = port, family, new_rsa_key()
        self._maker = Authority.new(name_of("EPMM Laboratory Device CA"))

    def enroll(self, number: int) -> None:
        """From the typed account to the first inventory; raises when any step fails."""
        line = Distant(self._tls, f"198.18.{number // 250 % 250}.{number % 250}")
        device = SimulatedDevice(
            f"anna@{HOST}",
            hardware=Hardware.new(self._family),
            network=Network(transport=line),
            maker=self._maker,
            ports={HOST: self._port},
            new_key=lambda: self._key,
        )
        device.enroll(password=PASSWORD)
        for channel in device.membership.channels:
            device.connect(channel)
        line.close()


class Distant(httpx2.BaseTransport):
    """A connection of its own, and an address of its own: the limits for one address are not what is measured."""

    def __init__(self, tls: ssl.SSLContext, address: str) -> None:
        self._transport = httpx2.HTTPTransport(verify=tls, trust_env=False)
        self._address = address

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        here = httpx2.Request(
            request.method,
            request.url.copy_with(host=HERE),
            headers={**request.headers, "X-Forwarded-For": self._address},
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": request.url.host},
        )
        return self._transport.handle_request(here)

    def close(self) -> None:
        self._transport.close()


def _measure(here: Site, crowd: Crowd, pids: dict[str, int], options: argparse.Namespace, told: Telling) -> None:
    database = Database(here.database_url) if here.database_url else None
    before, stored = cpu_seconds([*pids.values(), os.getpid()]), database.cpu() if database else {}
    started = time.perf_counter()
    with ThreadPoolExecutor(options.at_once) as threads:
        list(threads.map(crowd.enroll, range(1, options.devices + 1)))
    seconds = time.perf_counter() - started
    _wait_for_inventory()
    after = cpu_seconds([*pids.values(), os.getpid()])
    each = 1000 / options.devices
    rate = options.devices / seconds
    line = f"{options.devices} enrollments, {options.at_once} at once: {rate:.1f} a second\n"
    told.figure(line, name="all", seconds=seconds, per_second=rate)
    for name, pid in (*pids.items(), ("devices", os.getpid())):
        used, memory = (after[pid] - before[pid]) * each, resident_megabytes(pid)
        line = f"  {name:<10} {used:6.1f} ms CPU each, {memory:4.0f} MB\n"
        told.figure(line, name=name, cpu_ms=used, megabytes=memory)
    if database:
        used = sum(spent - stored.get(pid, 0) for pid, spent in database.cpu().items()) * each
        told.figure(f"  {'PostgreSQL':<10} {used:6.1f} ms CPU each\n", name="PostgreSQL", cpu_ms=used)
        database.close()


def check(devices: int) -> None:
    from devices.models import Device, Enrollment

    active, known = Enrollment.objects.active().count(), Device.objects.exclude(inventory_at=None).count()
    if (active, known) != (devices, devices):
        raise SystemExit(f"{active} of {devices} devices are enrolled, and {known} have an inventory")


def _wait_for_inventory() -> None:
    from devices.models import Result

    deadline = time.monotonic() + INVENTORY_SECONDS
    while Result.objects.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
