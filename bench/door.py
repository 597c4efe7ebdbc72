"""What a connect costs the device door alone: inside this process, without HTTP around it; for profiles of it."""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import uvloop

from bench import calibration, rows, scenarios, site
from bench.counters import Database
from bench.devices import BenchDevice
from bench.scenarios import Request, Scenario
from bench.site import HERE
from devices.protocol.stamp import NOBODY

NAMES: Final = ("idle-empty", "ack-small", "ack-8k", "idle-one")
out: Final = sys.stdout.write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", choices=("postgresql", "sqlite"), default="sqlite")
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20, help="requests per device in each scenario")
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--history", type=int, default=0, help="finished commands per device")


def main(options: argparse.Namespace) -> None:
    with site.opened(options.database) as here:
        out(f"{here.about}; {options.devices} devices with {options.history} finished commands each\n")
        out(f"{calibration.line()}\n")
        devices = [BenchDevice(number, options.history) for number in range(options.devices)]
        rows.enroll(devices)
        database = Database(here.database_url) if here.database_url else None
        for name in NAMES:
            _measure(scenarios.BY_NAME[name], devices, options, database)
        if database:
            database.close()


def _measure(
    scenario: Scenario, devices: Sequence[Any], options: argparse.Namespace, database: Database | None
) -> None:
    from django.db import connection, connections

    from devices.door.app import Door
    from devices.door.store import stores_for
    from enrollment.checkin import CheckinHandlers

    queued = scenarios.commands(devices, scenario, options.rounds * len(devices))
    rows.queue(queued, scenarios.command_payload(NOBODY))
    repeated = 1 if scenario.answers else options.rounds
    statuses: list[int] = []
    asked = [Asked(scenario, each, statuses) for each in scenarios.requests(devices, scenario, queued)] * repeated
    first, others = asked[: options.concurrency], asked[options.concurrency :]  # connections, statements
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        door = Door(handlers=CheckinHandlers(), stores=stores_for(connections["default"].settings_dict))
        runner.run(door.open())
        runner.run(_ask(door, first, options.concurrency))
        before, own, wall = database.cpu() if database else {}, time.process_time(), time.perf_counter()
        runner.run(_ask(door, others, options.concurrency))
        wall, own = time.perf_counter() - wall, time.process_time() - own
        used = database.cpu() if database else {}
        runner.run(door.close())
    if set(statuses) != {200} or (scenario.answers and rows.stored() != len(asked)):
        raise SystemExit(f"{scenario.name}: not every answer was 200, or rows and answers differ")
    each = 1e6 / len(others)
    stored = sum(seconds - before.get(pid, 0) for pid, seconds in used.items())
    cpu = f"CPU {own * each:4.0f} us here" + (f" + {stored * each:4.0f} us in PostgreSQL" if database else "")
    budget = scenario.budget[connection.vendor]
    out(f"{scenario.name:<12} {1e6 / each / wall:7.0f} requests/s   {cpu}; budget {budget} us\n")


class Asked:
    """A request as the door takes it; what of its answer counts is the status."""

    path: Final = "/mdm/connect"
    peer: Final = HERE
    is_whole: Final = True
    began: Final = None

    def __init__(self, scenario: Scenario, request: Request, statuses: list[int]) -> None:
        self.headers = {b"client-cert": request.proof.encode(), b"host": b"mdm.example.test"}
        self.body = scenarios.body(scenario, request.device.udid, request.command)
        self._statuses = statuses
        self.answered: Callable[[], object] = list

    def answer(self, status: int, *_: object) -> None:
        self._statuses.append(status)
        self.answered()


async def _ask(door: Any, asked: Sequence[Asked], at_once: int) -> None:
    """All of them, and so many at a time."""
    waiting, done = iter(asked), asyncio.Event()
    left = len(asked)

    def next_one() -> None:
        if (one := next(waiting, None)) is not None:
            one.answered = answered
            door.serve(one, "request-of-the-bench")

    def answered() -> None:
        nonlocal left
        left -= 1
        next_one()
        if not left:
            done.set()

    for _ in range(min(at_once, left)):
        next_one()
    await done.wait()
