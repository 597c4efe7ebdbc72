"""What a push costs: the client against the stand-in in another process."""

import argparse
import asyncio
import multiprocessing
import os
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Final
from uuid import uuid4

from bench import calibration, telling
from bench.rows import TOPIC
from bench.telling import Telling
from devices.apns.client import ApnsClient, Server
from devices.apns.connection import Limits
from devices.apns.identity import PushIdentity
from devices.apns_standin import lab
from devices.apns_standin.script import Script
from devices.apns_standin.server import StandIn
from devices.apns_standin.tls import server_context
from devices.protocol.push import Outcome, Push, Verdict, expiration
from epmm.dev_tls import ServerFiles

BUDGET: Final = 5000  # pushes a second and core


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pushes", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=1000, help="what the stand-in allows at once")
    telling.add_argument(parser)


def main(options: argparse.Namespace) -> None:
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory(prefix="epmm-bench-") as directory:
        files = lab.ensure(Path(directory), host="localhost", now=now)
        pem = lab.make_push_certificate(files, topic=TOPIC, now=now)
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_stand_in, args=(files, options.streams, theirs))
        process.start()
        try:
            server = Server(host="localhost", port=ours.recv(), trust=files.ca)
            identity = PushIdentity(certificate=pem.certificate, key=pem.key)
            asyncio.run(_measure(ApnsClient(identity, server, Limits(streams=options.streams)), options))
        finally:
            process.terminate()
            process.join()


def _stand_in(files: ServerFiles, streams: int, told: Connection) -> None:
    async def serve() -> None:
        stand_in = StandIn(tls=server_context(files, clients=files.ca), script=Script(streams=streams))
        told.send((await stand_in.start()).port)
        await stand_in.serve()

    asyncio.run(serve())


async def _measure(client: ApnsClient, options: argparse.Namespace) -> None:
    told = Telling(as_json=options.json, calibration=calibration.line(), budget_us=1e6 / BUDGET)
    told.say(f"{calibration.line()}; budget below {1e6 / BUDGET:.0f} us a push\n")
    async with client:
        check(await client.push(_pushes(100)))
        costs = [await _round(client, options.pushes, told) for _ in range(options.rounds)]
    cost = median(costs)
    told.figure(
        f"median {cost:.0f} us CPU a push ({min(costs):.0f} to {max(costs):.0f}), {1e6 / cost:.0f} a second and core\n",
        name="median",
        cpu_us=cost,
        per_second_and_core=1e6 / cost,
    )
    told.end()


async def _round(client: ApnsClient, count: int, told: Telling) -> float:
    pushes = _pushes(count)
    started, cpu = time.perf_counter(), time.process_time()
    outcomes = await client.push(pushes)
    cpu, elapsed = time.process_time() - cpu, time.perf_counter() - started
    check(outcomes)
    told.figure(
        f"  {count} accepted, {cpu / count * 1e6:5.0f} us CPU a push, {count / elapsed:6.0f} a second\n",
        name="round",
        pushes=count,
        cpu_us=cpu / count * 1e6,
        per_second=count / elapsed,
    )
    return cpu / count * 1e6


def check(outcomes: Sequence[Outcome]) -> None:
    if refused := [outcome for outcome in outcomes if outcome.kind is not Verdict.ACCEPTED]:
        first = refused[0]
        raise SystemExit(f"{len(refused)} of {len(outcomes)} pushes were not accepted: {first.status} {first.reason}")


def _pushes(count: int) -> list[Push]:
    until = expiration(datetime.now(UTC))
    return [Push(token=os.urandom(32), magic=str(uuid4()), topic=TOPIC, expiration=until) for _ in range(count)]
