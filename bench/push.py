"""What a push costs: the client against the stand-in in another process."""

import argparse
import asyncio
import multiprocessing
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Final
from uuid import uuid4

from bench import calibration
from bench.rows import TOPIC
from devices.apns.client import ApnsClient, Server
from devices.apns.connection import Limits
from devices.apns.identity import PushIdentity
from devices.apns_standin import lab
from devices.apns_standin.script import Script
from devices.apns_standin.server import StandIn
from devices.apns_standin.tls import server_context
from devices.protocol.push import Push, Verdict, expiration
from epmm.dev_tls import ServerFiles

out: Final = sys.stdout.write
BUDGET: Final = 5000  # pushes a second and core


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pushes", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--streams", type=int, default=1000, help="what the stand-in allows at once")


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
    out(f"{calibration.line()}; budget below {1e6 / BUDGET:.0f} us a push\n")
    async with client:
        await client.push(_pushes(100))
        costs = [await _round(client, options.pushes) for _ in range(options.rounds)]
    cost = median(costs)
    out(f"median {cost:.0f} us CPU a push ({min(costs):.0f} to {max(costs):.0f}), {1e6 / cost:.0f} a second and core\n")


async def _round(client: ApnsClient, count: int) -> float:
    pushes = _pushes(count)
    started, cpu = time.perf_counter(), time.process_time()
    outcomes = await client.push(pushes)
    cpu, elapsed = time.process_time() - cpu, time.perf_counter() - started
    accepted = sum(outcome.kind is Verdict.ACCEPTED for outcome in outcomes)
    out(f"  {accepted} of {count} accepted, {cpu / count * 1e6:5.0f} us CPU a push, {count / elapsed:6.0f} a second\n")
    return cpu / count * 1e6


def _pushes(count: int) -> list[Push]:
    until = expiration(datetime.now(UTC))
    return [Push(token=os.urandom(32), magic=str(uuid4()), topic=TOPIC, expiration=until) for _ in range(count)]
