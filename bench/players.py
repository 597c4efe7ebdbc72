"""Very many devices in one process: APNs wakes them, each fetches its command and answers it.

A device is a number, and everything that it has follows from that: it takes no memory until it is woken.
"""

import asyncio
import re
from base64 import b64encode
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from multiprocessing.connection import Connection
from typing import Any, Final
from urllib.parse import urlsplit

from bench.answers import TOLD
from bench.line import OK, Line
from devices.apns_standin.script import Script
from devices.apns_standin.server import Seen, StandIn
from devices.apns_standin.tls import server_context
from epmm.dev_tls import ServerFiles
from epmm.wire.plist import dump

LINES: Final = 64  # connections to the gateway
PAUSE_SECONDS: Final = 1.0  # before whoever was turned away comes again
PUSHED, FETCHED, TURNED_AWAY = range(3)
_COMMAND: Final = re.compile(rb"<key>CommandUUID</key>\s*<string>([0-9A-F-]{36})</string>")
_UDID, _UUID = b"@UDID@", b"@UUID@"


@dataclass(frozen=True, slots=True)
class LightDevice:
    number: int

    @property
    def udid(self) -> str:
        return f"00008140-{self.number:016X}"

    @property
    def certificate(self) -> bytes:
        """A proxy vouches for it, so that any bytes do."""
        return b"certificate of bench device %d" % self.number

    @property
    def sha256(self) -> bytes:
        return sha256(self.certificate).digest()

    @property
    def forwarded(self) -> str:
        """As a proxy says it (RFC 9440)."""
        return f":{b64encode(self.certificate).decode()}:"

    @property
    def token(self) -> bytes:
        return self.number.to_bytes(32, "big")

    @property
    def magic(self) -> bytes:
        return b"magic of bench device %d" % self.number

    @classmethod
    def of(cls, token: str) -> "LightDevice":
        return cls(int(token, 16))


def play(files: ServerFiles, told: Connection, counters: Any) -> None:
    """The process: says at which port APNs is, hears where the gateway is, and goes on until it is ended."""
    asyncio.run(_play(files, told, counters))  # the stand-in works on asyncio's own loop only


async def _play(files: ServerFiles, told: Connection, counters: Any) -> None:
    woken: asyncio.Queue[LightDevice] = asyncio.Queue()
    tls = server_context(files, clients=files.ca)
    stand_in = await StandIn(tls=tls, script=Script(), watcher=partial(_wake, woken, counters)).start()
    told.send(stand_in.port)
    url = urlsplit(await asyncio.to_thread(told.recv))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stand_in.serve())
        for _ in range(LINES):
            tasks.create_task(_live(await Line.open(url), woken, counters))


def _wake(woken: asyncio.Queue[LightDevice], counters: Any, seen: Seen) -> None:
    if seen.answer.status == OK:
        counters[PUSHED] += 1
        woken.put_nowait(LightDevice.of(seen.asked.token))


async def _live(line: Line, woken: asyncio.Queue[LightDevice], counters: Any) -> None:
    while True:
        device = await woken.get()
        if not await _session(line, device, counters):
            counters[TURNED_AWAY] += 1
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, woken.put_nowait, device)


async def _session(line: Line, device: LightDevice, counters: Any) -> bool:
    """False when it was turned away, and has to come again."""
    said = _IDLE.replace(_UDID, device.udid.encode())
    while True:
        status, command = await line.put(said, "Client-Cert", device.forwarded)
        if status != OK:
            return False
        if not command:
            return True
        counters[FETCHED] += 1
        found = _COMMAND.search(command)
        said = _ANSWER.replace(_UDID, device.udid.encode()).replace(_UUID, found[1] if found else b"")


_IDLE: Final = dump({"UDID": _UDID.decode(), "Status": "Idle"})
_ANSWER: Final = dump(
    {
        "UDID": _UDID.decode(),
        "CommandUUID": _UUID.decode(),
        "Status": "Acknowledged",
        "QueryResponses": TOLD | {"UDID": _UDID.decode(), "SerialNumber": _UDID.decode()},
    }
)
