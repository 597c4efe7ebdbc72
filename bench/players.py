"""Very many devices in one process: APNs wakes them, each fetches its command and does what it says.

A device is a number, and everything that it has follows from that: it takes no memory until it is woken.
"""

import asyncio
import re
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from multiprocessing.connection import Connection
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from bench.answers import TOLD
from bench.line import BUSY, OK, Line
from devices.apns_standin.script import Script
from devices.apns_standin.server import Seen, StandIn
from devices.apns_standin.tls import server_context
from epmm.dev_tls import ServerFiles
from epmm.wire.plist import dump

PAUSE_SECONDS: Final = 1.0  # before whoever was turned away comes again
PUSHED, FETCHED, CHECKED_IN, TURNED_AWAY = range(COUNTERS := 4)
_COMMAND: Final = re.compile(rb"<key>CommandUUID</key>\s*<string>([0-9A-F-]{36})</string>")
_UDID, _UUID = b"@UDID@", b"@UUID@"


class TurnedAway(Exception):
    """It comes again in a moment."""


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


Session = Callable[[Line, LightDevice, Any], Awaitable[None]]


def play(files: ServerFiles, told: Connection, counters: Any) -> None:
    """The process: says at which port APNs is, and hears where the gateway is and what whoever is woken does there.

    It goes on until it is ended.
    """
    asyncio.run(_play(files, told, counters))  # the stand-in works on asyncio's own loop only


async def _play(files: ServerFiles, told: Connection, counters: Any) -> None:
    woken: asyncio.Queue[LightDevice] = asyncio.Queue()
    tls = server_context(files, clients=files.ca)
    stand_in = await StandIn(tls=tls, script=Script(), watcher=partial(_wake, woken, counters)).start()
    told.send(stand_in.port)
    url, lines, session = await asyncio.to_thread(told.recv)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stand_in.serve())
        for _ in range(lines):
            tasks.create_task(_live(urlsplit(url), woken, counters, session))


def _wake(woken: asyncio.Queue[LightDevice], counters: Any, seen: Seen) -> None:
    if seen.answer.status == OK:
        counters[PUSHED] += 1
        woken.put_nowait(LightDevice.of(seen.asked.token))


async def _live(url: SplitResult, woken: asyncio.Queue[LightDevice], counters: Any, session: Session) -> None:
    line = await Line.open(url)
    while True:
        device = await woken.get()
        try:
            await session(line, device, counters)
        except TurnedAway:
            counters[TURNED_AWAY] += 1
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, woken.put_nowait, device)
        except asyncio.IncompleteReadError:  # nobody said anything on it for long
            line.close()
            line = await Line.open(url)
            woken.put_nowait(device)


async def inform(line: Line, device: LightDevice, counters: Any) -> None:
    """Whatever it is asked, it tells of itself."""
    async for _ in connect(line, device, counters, _INFORMATION):
        pass


async def connect(line: Line, device: LightDevice, counters: Any, answer: bytes) -> AsyncIterator[bytes]:
    """Every command that is there, once the gateway has its answer."""
    udid = device.udid.encode()
    command = await put(line, _IDLE.replace(_UDID, udid), device)
    while command:
        counters[FETCHED] += 1
        found, done = _COMMAND.search(command), command
        said = answer.replace(_UDID, udid).replace(_UUID, found[1] if found else b"")
        command = await put(line, said, device)
        yield done


async def put(line: Line, said: bytes, device: LightDevice) -> bytes:
    status, body = await line.put(said, "Client-Cert", device.forwarded)
    if status == BUSY:
        raise TurnedAway
    if status != OK:
        raise RuntimeError(f"a device was answered {status}")
    return body


_IDLE: Final = dump({"UDID": _UDID.decode(), "Status": "Idle"})
_TAKEN: Final = {"UDID": _UDID.decode(), "CommandUUID": _UUID.decode(), "Status": "Acknowledged"}
ACKNOWLEDGED: Final = dump(_TAKEN)
_INFORMATION: Final = dump(_TAKEN | {"QueryResponses": TOLD | {"UDID": _UDID.decode(), "SerialNumber": _UDID.decode()}})
