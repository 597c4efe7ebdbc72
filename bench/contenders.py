"""Whose devices are played: our own server's, and a peer's where the environment names one.

Of a peer this repository knows nothing: how it starts, takes devices and takes commands are commands of whoever
measures, described in docs/performance.md.
"""

import json
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Final, Protocol
from uuid import UUID

import psycopg

from bench import rows
from bench.devices import BenchDevice
from bench.processes import Running, gateway, run_hook, running
from bench.scenarios import command_payload
from bench.site import Site, new_database
from devices.protocol.stamp import NOBODY

PEER: Final = ("PEER_CMD", "PEER_URL", "PEER_ENROLL", "PEER_QUEUE", "PEER_STORED")


class Contender(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def header(self) -> str:
        """In which it takes a device's certificate from a proxy."""

    @property
    def database_url(self) -> str:
        """Empty where there is none to look into."""

    def enroll(self, devices: Sequence[BenchDevice]) -> None:
        """These, and no others."""

    def queue(self, commands: Mapping[str, Sequence[UUID]]) -> None:
        """These, in the place of all that was queued or answered before."""

    def stored(self) -> int:
        """How many results there are."""

    def running(self, database_url: str) -> AbstractContextManager[Running]: ...


@dataclass
class Ours:
    site: Site
    name: str = "epmm"
    header: str = "Client-Cert"

    @property
    def database_url(self) -> str:
        return self.site.database_url

    def enroll(self, devices: Sequence[BenchDevice]) -> None:
        rows.enroll(devices)

    def queue(self, commands: Mapping[str, Sequence[UUID]]) -> None:
        rows.queue(commands, command_payload(NOBODY))

    def stored(self) -> int:
        return rows.stored()

    def running(self, database_url: str) -> AbstractContextManager[Running]:
        return gateway(self.site, database_url)


@dataclass
class Peer:
    site: Site
    database_url: str
    given: Mapping[str, str] = field(repr=False)

    @property
    def name(self) -> str:
        return self.given.get("PEER_NAME", "peer")

    @property
    def header(self) -> str:
        return self.given.get("PEER_HEADER", "Client-Cert")

    def enroll(self, devices: Sequence[BenchDevice]) -> None:
        run_hook(self.given["PEER_ENROLL"], self._environment(), map(_device, devices))

    def queue(self, commands: Mapping[str, Sequence[UUID]]) -> None:
        run_hook(self.given["PEER_QUEUE"], self._environment(), _lines(commands))

    def stored(self) -> int:
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(self.given["PEER_STORED"].encode()).fetchone()
        return int(row[0]) if row else 0

    def running(self, database_url: str) -> AbstractContextManager[Running]:
        environment = self._environment() | {"PEER_DSN": database_url}
        log = self.site.directory / "peer.log"
        return running(self.given["PEER_CMD"], environment=environment, log=log, url=self.given["PEER_URL"])

    def _environment(self) -> dict[str, str]:
        return {**self.given, "PEER_DSN": self.database_url}


def peer(site: Site, given: Mapping[str, str]) -> Peer | None:
    """Its database is one of ours where whoever measures names none."""
    if not given.get("PEER_CMD"):
        return None
    url = given.get("PEER_DSN") or new_database(site.database_url, "peer")
    return Peer(site, url, given)


def environment(database: str) -> dict[str, str]:
    """Of whoever measures, before the product's settings take its place."""
    if os.environ.get("PEER_CMD"):
        if missing := [name for name in PEER if not os.environ.get(name)]:
            raise SystemExit(f"a peer needs {', '.join(missing)} too, see docs/performance.md")
        if database != "postgresql":
            raise SystemExit("a peer is compared with on PostgreSQL only")
    return dict(os.environ)


def _device(device: BenchDevice) -> str:
    told = {
        "udid": device.udid,
        "certificate": b64encode(device.certificate).decode(),
        "sha256": device.sha256.hex(),
        "history": device.history,
    }
    return json.dumps(told) + "\n"


def _lines(commands: Mapping[str, Sequence[UUID]]) -> Iterator[str]:
    for udid, uuids in commands.items():
        for uuid in uuids:
            payload = b64encode(command_payload(uuid)).decode()
            yield json.dumps({"udid": udid, "uuid": str(uuid).upper(), "command": payload}) + "\n"
