"""One command to a whole fleet: broadcast, pushed to a stand-in, fetched, answered, read into inventory.

Or one declaration: assigned, announced in the same way, fetched, applied, reported.
"""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.process import BaseProcess
from typing import Any, Final, Protocol

from bench import calibration, fleet_declared, fleet_rows, players, search_rows, site, telling
from bench.counters import Database
from bench.players import CHECKED_IN, COUNTERS, FETCHED, PUSHED, TURNED_AWAY, Session
from bench.processes import cpu_seconds, gateway, resident_megabytes, running
from bench.rows import TOPIC
from bench.site import Site
from bench.telling import Telling
from devices.apns_standin import lab
from epmm.dev_tls import ServerFiles

START_SECONDS: Final = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="postgresql")
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--declarations", action="store_true", help="a declaration instead of a command")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--lines", type=int, default=64, help="connections that devices share")
    parser.add_argument("--every", type=float, default=5, help="seconds between two lines")
    parser.add_argument("--minutes", type=float, default=60, help="give up after")
    telling.add_argument(parser)


def main(options: argparse.Namespace) -> None:
    with site.opened(options.database) as here, ExitStack() as stack:
        about = {"database": here.about, "calibration": calibration.line(), "load": calibration.load()}
        told = Telling(as_json=options.json, devices=options.devices, **about)
        told.say(f"{here.about}\n{about['calibration']}\nload: {about['load']}\n")
        started = time.perf_counter()
        fleet_rows.enroll(options.devices)
        search_rows.tidy()
        told.say(f"{options.devices} devices written in {time.perf_counter() - started:.0f} s\n")
        errand: Errand = fleet_declared.Declaring() if options.declarations else fleet_rows.Informing()
        processes = stack.enter_context(_started(here, options, errand.session))
        _watch(here, processes, errand, options, told)
        errand.check(options.devices)
        told.end()


class Errand(Protocol):
    """What the whole fleet is to do."""

    @property
    def session(self) -> Session:
        """Of a device that is woken."""

    def begin(self) -> None: ...

    def look(self) -> tuple[int, str]:
        """How many have done it, and how far it has come in words."""

    def check(self, devices: int) -> None:
        """It was done by so many: by the rows, not by what anybody was answered."""


@dataclass(frozen=True, slots=True)
class Processes:
    pids: Mapping[str, Sequence[int]]
    devices: BaseProcess
    counters: Any  # of the devices; see bench/players.py


@contextmanager
def _started(here: Site, options: argparse.Namespace, session: Session) -> Iterator[Processes]:
    files = lab.ensure(here.directory / "apns", host="localhost", now=datetime.now(UTC))
    _install_push_certificate(files)
    context = multiprocessing.get_context("spawn")
    counters, (ours, theirs) = context.Array("Q", COUNTERS, lock=False), context.Pipe()
    devices = context.Process(target=players.play, args=(files, theirs, counters), daemon=True)
    devices.start()
    port = ours.recv()
    apns = {"EPMM_APNS_SERVER": f"localhost:{port}", "EPMM_APNS_CA": str(files.ca)}
    with ExitStack() as stack:
        stack.callback(devices.join)
        stack.callback(devices.terminate)
        door = stack.enter_context(gateway(here, here.database_url))
        ours.send((door.url, options.lines, session))
        command = [sys.executable, "manage.py", "worker"]
        log = here.directory / "worker.log"
        at_work = [
            stack.enter_context(running(command, environment={**here.environment, **apns}, log=log))
            for _ in range(options.workers)
        ]
        pids = {"gateway": door.pids, "worker": [each.process.pid for each in at_work], "devices": [devices.pid or 0]}
        yield Processes(pids, devices, counters)


def _install_push_certificate(files: ServerFiles) -> None:
    from devices.services import push_installation

    pem = lab.make_push_certificate(files, topic=TOPIC, now=datetime.now(UTC))
    push_installation.install(pem.certificate, key=pem.key, confirmed=True, actor="bench")


def _wait_for_worker() -> None:
    """What it takes to start is no part of the figures."""
    from epmm.models import Heartbeat

    deadline = time.monotonic() + START_SECONDS
    while not Heartbeat.objects.exists():
        if time.monotonic() > deadline:
            raise SystemExit("the worker does not start")
        time.sleep(0.1)


def _watch(here: Site, processes: Processes, errand: Errand, options: argparse.Namespace, told: Telling) -> None:
    database = Database(here.database_url) if here.database_url else None
    _wait_for_worker()
    before, stored = _cpu(processes), database.cpu() if database else {}
    started = time.perf_counter()
    errand.begin()
    done = 0
    while done < options.devices:
        time.sleep(options.every)
        if time.perf_counter() - started > options.minutes * 60:
            raise SystemExit("it takes too long")
        if not processes.devices.is_alive():
            raise SystemExit("the devices do not go on")
        now, words = errand.look()
        seconds = time.perf_counter() - started
        told.say(f"{seconds:5.0f} s  {words}, {_line(processes)}  {(now - done) / options.every:6.0f}/s\n")
        done = now
    counters, spent = processes.counters, {name: used - before[name] for name, used in _cpu(processes).items()}
    _end(options.devices, seconds, counters, spent, told)
    if database:
        used = sum(spent - stored.get(pid, 0) for pid, spent in database.cpu().items())
        _spent("PostgreSQL", used, options.devices, told)
        database.close()


def _line(processes: Processes) -> str:
    counters = processes.counters
    memory = ", ".join(f"{name} {sum(map(resident_megabytes, pids)):.0f}" for name, pids in processes.pids.items())
    return (
        f"pushed {counters[PUSHED]}, fetched {counters[FETCHED]}, checked in {counters[CHECKED_IN]}, "
        f"turned away {counters[TURNED_AWAY]}; MB {memory}"
    )


def _cpu(processes: Processes) -> dict[str, float]:
    return {name: sum(cpu_seconds(pids).values()) for name, pids in processes.pids.items()}


def _end(devices: int, seconds: float, counters: Any, spent: dict[str, float], told: Telling) -> None:
    line = f"{devices} devices in {seconds:.0f} s: {devices / seconds:.0f} a second; load {os.getloadavg()[0]:.1f}\n"
    told.say(line)
    told.figure(
        f"  {counters[CHECKED_IN]} check-ins answered, {counters[TURNED_AWAY]} requests turned away, that came again\n",
        name="all",
        seconds=seconds,
        per_second=devices / seconds,
        check_ins=counters[CHECKED_IN],
        turned_away=counters[TURNED_AWAY],
    )
    for name, used in spent.items():
        _spent(name, used, devices, told)


def _spent(name: str, seconds: float, devices: int, told: Telling) -> None:
    each = seconds * 1e6 / devices
    told.figure(f"  {name:<10} {each:8.0f} us CPU for a device\n", name=name, cpu_us=each)
