"""One command to a whole fleet: broadcast, pushed to a stand-in, fetched, answered, read into inventory."""

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bench import calibration, fleet_rows, players, site, telling
from bench.counters import Database
from bench.players import FETCHED, PUSHED, TURNED_AWAY
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
    parser.add_argument("--workers", type=int, default=1)
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
        told.say(f"{options.devices} devices written in {time.perf_counter() - started:.0f} s\n")
        processes = stack.enter_context(_started(here, options.workers))
        _watch(here, processes, options, told)
        fleet_rows.check(options.devices)
        told.end()


@dataclass(frozen=True, slots=True)
class Processes:
    pids: Mapping[str, Sequence[int]]
    counters: Any  # of the devices; see bench/players.py


@contextmanager
def _started(here: Site, workers: int) -> Iterator[Processes]:
    files = lab.ensure(here.directory / "apns", host="localhost", now=datetime.now(UTC))
    _install_push_certificate(files)
    context = multiprocessing.get_context("spawn")
    counters, (ours, theirs) = context.Array("Q", 3, lock=False), context.Pipe()
    devices = context.Process(target=players.play, args=(files, theirs, counters), daemon=True)
    devices.start()
    port = ours.recv()
    apns = {"EPMM_APNS_SERVER": f"localhost:{port}", "EPMM_APNS_CA": str(files.ca)}
    with ExitStack() as stack:
        stack.callback(devices.join)
        stack.callback(devices.terminate)
        door = stack.enter_context(gateway(here, here.database_url))
        ours.send(door.url)
        command = [sys.executable, "manage.py", "worker"]
        log = here.directory / "worker.log"
        at_work = [
            stack.enter_context(running(command, environment={**here.environment, **apns}, log=log))
            for _ in range(workers)
        ]
        pids = {"gateway": door.pids, "worker": [each.process.pid for each in at_work], "devices": [devices.pid or 0]}
        yield Processes(pids, counters)


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


def _watch(here: Site, processes: Processes, options: argparse.Namespace, told: Telling) -> None:
    from devices.services import broadcast

    database = Database(here.database_url) if here.database_url else None
    _wait_for_worker()
    before, stored = _cpu(processes), database.cpu() if database else {}
    started = time.perf_counter()
    row = broadcast.begin("DeviceInformation", selection={}, actor="bench")
    done = 0
    while done < options.devices:
        time.sleep(options.every)
        if time.perf_counter() - started > options.minutes * 60:
            raise SystemExit("it takes too long")
        now = fleet_rows.progress(row)
        seconds = time.perf_counter() - started
        told.say(f"{seconds:5.0f} s  {_line(now, processes)}  {(now.read - done) / options.every:6.0f} read/s\n")
        done = now.read
    _end(options.devices, seconds, {name: _cpu(processes)[name] - spent for name, spent in before.items()}, told)
    if database:
        used = sum(spent - stored.get(pid, 0) for pid, spent in database.cpu().items())
        _spent("PostgreSQL", used, options.devices, told)
        database.close()


def _line(now: "fleet_rows.Progress", processes: Processes) -> str:
    counters = processes.counters
    memory = ", ".join(f"{name} {sum(map(resident_megabytes, pids)):.0f}" for name, pids in processes.pids.items())
    return (
        f"queued {now.queued}, pushed {counters[PUSHED]}, fetched {counters[FETCHED]}, "
        f"answered {now.answered}, read {now.read}, turned away {counters[TURNED_AWAY]}; MB {memory}"
    )


def _cpu(processes: Processes) -> dict[str, float]:
    return {name: sum(cpu_seconds(pids).values()) for name, pids in processes.pids.items()}


def _end(devices: int, seconds: float, spent: dict[str, float], told: Telling) -> None:
    line = f"{devices} devices in {seconds:.0f} s: {devices / seconds:.0f} a second; load {os.getloadavg()[0]:.1f}\n"
    told.figure(line, name="all", seconds=seconds, per_second=devices / seconds)
    for name, used in spent.items():
        _spent(name, used, devices, told)


def _spent(name: str, seconds: float, devices: int, told: Telling) -> None:
    each = seconds * 1e6 / devices
    told.figure(f"  {name:<10} {each:8.0f} us CPU for a device\n", name=name, cpu_us=each)
