"""All that is running: the product's processes as in production, its database and broker, and the devices."""

import multiprocessing
import random
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import httpx2

from bench import site
from bench.faults import channels, players, relay
from bench.faults.kept import Kept
from bench.faults.players import Account, Manner
from bench.faults.relay import Address, BadNetwork
from bench.rows import TOPIC
from bench.site import CLUSTER, HERE, Site
from devices.apns_standin import lab
from epmm.dev_tls import ServerFiles
from epmm.listening import BACKLOG
from epmm.patience import allow_descriptors
from tests.ports import free_port
from tests.services import Cluster, new_cluster, redis_command

GATEWAYS: Final = 2
START_SECONDS: Final = 60
# The clock will jump back by an hour, and what is signed now must be valid then.
BEFORE: Final = timedelta(days=1)
_PLAIN: Final = {"PATH": "/usr/bin:/bin"}


@dataclass(frozen=True, slots=True)
class Devices:
    """The process that plays them."""

    line: Connection

    def behave(self, manner: Manner) -> None:
        self.line.send(manner)

    def account(self) -> Account:
        self.line.send(None)
        account: Account = self.line.recv()
        return account


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    site: Site
    gateways: Sequence[Kept]
    web: Kept
    workers: Sequence[Kept]
    database: Kept | None  # None: SQLite
    broker: Kept | None
    network: BadNetwork  # between devices and gateways
    wire: BadNetwork | None  # between the product and PostgreSQL
    devices: Devices
    front: Address
    clock: Path  # by which libfaketime goes

    @property
    def product(self) -> Sequence[Kept]:
        return (*self.gateways, self.web, *self.workers)

    def door_url(self, path: str) -> str:
        return f"http://{HERE}:{self.network.port}{path}"

    def front_url(self, path: str) -> str:
        return "http://{}:{}{}".format(*self.front, path)

    def until_answering(self) -> None:
        """The doors and the database."""
        until(self._answers, "the doors do not answer")

    def _answers(self) -> bool:
        return is_database_there() and all(map(_is_well, (self.door_url("/healthz"), self.front_url("/healthz"))))


@contextmanager
def opened(
    database: str, *, devices: int, workers: int, seed: str, manner: Manner, logs: Path
) -> Iterator[Installation]:
    """`database` is `postgresql` or `sqlite`; the logs stay."""
    allow_descriptors()
    with ExitStack() as stack:
        directory = stack.enter_context(site.scratch())
        cluster = new_cluster(directory / "postgresql", CLUSTER) if database == "postgresql" else None
        services = _services(stack, cluster, logs) if cluster else None
        url = site.new_database(cluster.url, "epmm") if cluster else ""
        here = site.set_up(directory, url, 8443, {"EPMM_BROKER_URL": services.broker_url} if services else {})
        stack.callback(site.close_connections)
        channels.enroll(devices)
        *doors, front = [
            stack.enter_context(socket.create_server((HERE, 0), backlog=BACKLOG)) for _ in range(GATEWAYS + 1)
        ]
        chance = random.Random(f"{seed} network")  # noqa: S311 -- to be repeated
        network = BadNetwork([door.getsockname() for door in doors], chance)
        wire = BadNetwork([(HERE, cluster.port)], chance) if cluster else None
        stack.enter_context(relay.opened(network, *filter(None, [wire])))
        files = _laboratory(directory)
        line = stack.enter_context(_playing(devices, seed, files))
        apns = {"EPMM_APNS_SERVER": f"localhost:{line.recv()}", "EPMM_APNS_CA": str(files.ca)}
        environment = {**here.environment, **apns}
        if cluster and wire:
            environment["EPMM_DATABASE_URL"] = url.replace(f":{cluster.port}/", f":{wire.port}/")
        start = _Start(stack, environment, logs)
        made = Installation(
            site=here,
            gateways=[start(f"gateway-{number}", door) for number, door in enumerate(doors)],
            web=start("web", front),
            workers=[start(f"worker-{number}") for number in range(workers)],
            database=services.database if services else None,
            broker=services.broker if services else None,
            network=network,
            wire=wire,
            devices=Devices(line),
            front=front.getsockname(),
            clock=directory / "clock",
        )
        for each in made.product:
            stack.callback(each.part)  # all of them before any is waited for
        made.until_answering()
        until(_worker_is_at_work, "the worker does not start")
        line.send((made.door_url("/mdm/connect"), manner))
        yield made


@dataclass(frozen=True, slots=True)
class _Start:
    """The processes as `deploy/systemd` starts them."""

    stack: ExitStack
    environment: Mapping[str, str]
    logs: Path

    def __call__(self, name: str, listener: socket.socket | None = None) -> Kept:
        command = [sys.executable, "manage.py", name.partition("-")[0]]
        kept = Kept(name, command, environment=self.environment, log=self.logs / f"{name}.log", listener=listener)
        self.stack.callback(kept.close)
        return kept


@dataclass(frozen=True, slots=True)
class _Services:
    database: Kept
    broker: Kept
    broker_url: str


def _services(stack: ExitStack, cluster: Cluster, logs: Path) -> _Services:
    database = Kept(
        "postgresql",
        [str(word) for word in cluster.command],
        environment=_PLAIN,
        log=logs / "postgresql.log",
        directory=cluster.directory,
        account=cluster.account,
        farewell=signal.SIGINT,  # to PostgreSQL: do not wait for clients
    )
    stack.callback(database.close)
    port = free_port()
    broker = Kept("redis", redis_command(port), environment=_PLAIN, log=logs / "redis.log")
    stack.callback(broker.close)
    return _Services(database, broker, f"redis://{HERE}:{port}/0")


def _laboratory(directory: Path) -> ServerFiles:
    from devices.services import push_installation

    earlier = datetime.now(UTC) - BEFORE
    files = lab.ensure(directory / "apns", host="localhost", now=earlier)
    pem = lab.make_push_certificate(files, topic=TOPIC, now=earlier)
    push_installation.install(pem.certificate, key=pem.key, confirmed=True, actor="bench")
    return files


@contextmanager
def _playing(devices: int, seed: str, files: ServerFiles) -> Iterator[Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=players.play, args=(devices, seed, files, theirs), daemon=True)
    process.start()
    theirs.close()  # so that its end is an end to what we read
    try:
        yield ours
    finally:
        process.kill()
        process.join()


def _worker_is_at_work() -> bool:
    from epmm.models import Heartbeat

    return Heartbeat.objects.exists()


def until(is_so: Callable[[], bool], complaint: str, *, seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(complaint)
        time.sleep(0.1)


def is_database_there() -> bool:
    from django.db import Error, close_old_connections, connection

    close_old_connections()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        connection.close()
        return False
    return True


def _is_well(url: str) -> bool:
    try:
        return httpx2.get(url, timeout=5, trust_env=False).is_success
    except httpx2.HTTPError:
        return False
