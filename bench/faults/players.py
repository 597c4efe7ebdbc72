"""A thousand devices in one process, over a network that breaks, with an account of what they were told is kept.

Nearly all of them connect when they are pushed and at no other time, as devices do: a push that is missing shows.
"""

import asyncio
import hashlib
import itertools
import random
import re
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from bench.answers import TOLD
from bench.faults import channels
from bench.faults.channels import Who
from bench.faults.holder import COMMAND, Holder, Holds
from bench.holders import CHECK_IN
from bench.line import OK, Line
from bench.players import TurnedAway
from devices.apns_standin.script import Script
from devices.apns_standin.server import Seen, StandIn
from devices.apns_standin.tls import server_context
from enrollment.simulator.refusal import DeviceRefused
from epmm.dev_tls import ServerFiles
from epmm.patience import allow_descriptors
from epmm.wire.plist import dump

PATIENCE_SECONDS: Final = 20  # longer than the door takes to give up
COME_AGAIN_SECONDS: Final = 2.0
BUSY: Final = 503
SHOWN: Final = 500  # characters of an answer that must not be
POLLS: Final = 20  # each so many-th device also connects by itself
LARGE: Final = 40  # each so many-th list of applications is a large one
FULL: Final = 0.2  # of the reports that nobody asked for
MIB: Final = 1 << 20
_COMMAND: Final = re.compile(
    rb"<key>(CommandUUID|RequestType)</key>\s*<string>([^<]+)</string>.*"
    rb"<key>(CommandUUID|RequestType)</key>\s*<string>([^<]+)</string>",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How devices behave just now; what is a share is one of requests."""

    pause: float  # seconds between two connects of those that poll
    version: str  # of the system, which the inventory must show in the end
    largest: int = 15  # MiB, of an answer
    dropped: float = 0.02  # sent, and the connection closed
    twice: float = 0.02  # sent on two connections at once
    repeated: float = 0.02  # an answer of long ago
    put_off: float = 0.05  # of sessions: all that comes then is not for now
    failed: float = 0.02
    reports: float = 0.2  # of sessions: something to report that nobody asked for

    def gentle(self, pause: float) -> "Manner":
        return replace(self, pause=pause, dropped=0, twice=0, repeated=0, put_off=0, reports=0)


@dataclass(frozen=True, slots=True)
class Told:
    """An answer that a device was told is kept."""

    who: str
    uuid: UUID
    status: str
    sha256: bytes
    version: str  # of the system, as it says; empty in most answers


@dataclass(slots=True)
class Account:
    """Since it was last asked for."""

    counts: Counter[str] = field(default_factory=Counter)
    told: list[Told] = field(default_factory=list)
    holds: dict[str, Holds] = field(default_factory=dict)  # of channels that talked of their declarations: the last
    # commands, and when the requests began that were answered with them, by the clock that all processes share
    handed: list[tuple[UUID, float]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # what no genuine device may be answered
    unsure: int = 0  # devices with an answer or a report that they do not know to be kept, or declarations to fetch


@dataclass(frozen=True, slots=True)
class _Answer:
    uuid: UUID
    status: str
    body: bytes
    version: str = ""
    tells_to_synchronize: bool = False


class Fleet:
    """What the devices have in common."""

    def __init__(self, url: SplitResult, manner: Manner) -> None:
        self.url, self.manner, self.account = url, manner, Account()
        self.check_in = url._replace(path=CHECK_IN)
        self.lists = itertools.count()

    def take_account(self, devices: Mapping[int, "Device"]) -> Account:
        taken, self.account = self.account, Account()
        taken.unsure = sum(device.unsure is not None or device.holder.is_unsure for device in devices.values())
        return taken


class Device:
    def __init__(self, who: Who, fleet: Fleet, seed: str) -> None:
        self._who, self._fleet = who, fleet
        self._chance = random.Random(f"{seed} {who}")  # noqa: S311 -- to be repeated
        self._proof = who.device.forwarded
        self._idle = dump(who.sender | {"Status": "Idle"})
        self._polls = who.device.number % POLLS == 1
        self._woken = asyncio.Event()
        self._is_busy = False
        self.unsure: _Answer | None = None
        self.holder = Holder()
        self._last: _Answer | None = None
        self._done: set[UUID] = set()

    def wake(self) -> None:
        self._fleet.account.counts["pushed"] += 1
        self._woken.set()

    async def live(self) -> None:
        pause = self._pause()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause)
            self._woken.clear()
            is_done = await self._session()
            # one that put everything off comes back by itself (protocol reference, 4.6), as one in trouble does
            pause = self._pause() if is_done and not self._is_busy else self._sometime(COME_AGAIN_SECONDS)

    def _pause(self) -> float | None:
        return self._sometime(self._fleet.manner.pause) if self._polls else None

    def _sometime(self, seconds: float) -> float:
        return seconds * self._chance.uniform(0.5, 1.5)

    async def _session(self) -> bool:
        """False when it has to come again soon."""
        try:
            line = await Line.open(self._fleet.url)
        except OSError:
            self._fleet.account.counts["broken"] += 1
            return False
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._talk(line) and await self._talk_of_declarations(line)
        except (OSError, EOFError, TimeoutError, ValueError):
            self._fleet.account.counts["broken"] += 1
            return False
        finally:
            line.close()

    async def _talk(self, line: Line) -> bool:
        if self._last is not None and self._happens(self._fleet.manner.repeated):
            self._note((await self._put(line, self._last.body)), self._last)
        said, is_busy, self._is_busy = self.unsure, self._happens(self._fleet.manner.put_off), False
        while True:
            status, command = await self._say(line, said)
            if said is not None:
                self._note((status, command), said)
            if status != OK:
                return False
            if not command:
                return True
            self._is_busy = is_busy
            said = self._answered(command)

    async def _talk_of_declarations(self, line: Line) -> bool:
        holder = self.holder
        ask = partial(self._ask, replace(line, url=self._fleet.check_in))
        has_news, before = self._happens(self._fleet.manner.reports), holder.holds
        try:
            await holder.talk(ask, has_news=has_news, full=self._happens(FULL))
        except TurnedAway:
            return False
        except DeviceRefused as refused:
            self._fleet.account.wrong.append(f"{self._who}: {refused}")
        finally:
            if holder.holds != before:
                account = self._fleet.account  # it may be another one by now
                account.holds[str(self._who)] = holder.holds
                account.counts["reports"] += holder.holds.number - before.number
        return True

    async def _ask(self, line: Line, endpoint: str, data: bytes) -> bytes:
        content = {"MessageType": COMMAND, "Endpoint": endpoint} | ({"Data": data} if data else {})
        status, answer = await self._send(line, dump(self._who.sender | content), may_be_twice=True)
        if status != OK:
            raise TurnedAway
        return answer

    async def _say(self, line: Line, said: _Answer | None) -> tuple[int, bytes]:
        return await self._send(line, self._idle if said is None else said.body, may_be_twice=said is not None)

    async def _send(self, line: Line, body: bytes, *, may_be_twice: bool) -> tuple[int, bytes]:
        if self._happens(self._fleet.manner.dropped):
            line.begin(body, "Client-Cert", self._proof)
            await asyncio.sleep(self._chance.uniform(0, 0.01))
            self._fleet.account.counts["dropped"] += 1
            raise EOFError
        if may_be_twice and self._happens(self._fleet.manner.twice):
            return await self._say_twice(line, body)
        return await self._put(line, body)

    async def _say_twice(self, line: Line, body: bytes) -> tuple[int, bytes]:
        """The answer that it goes by is the last one to come, as of somebody who had given the other one up."""
        other = await Line.open(line.url)
        self._fleet.account.counts["twice"] += 1
        answers: list[tuple[int, bytes]] = []

        async def put(line: Line) -> None:
            answers.append(await self._put(line, body))

        try:
            first, _ = await asyncio.gather(put(line), put(other), return_exceptions=True)
        finally:
            other.close()
        for each in reversed(answers):
            if each[0] == OK:
                return each
        if isinstance(first, BaseException):
            raise first
        return answers[-1]

    async def _put(self, line: Line, body: bytes) -> tuple[int, bytes]:
        began = time.monotonic()
        self._fleet.account.counts["requests"] += 1
        status, answer = await line.put(body, "Client-Cert", self._proof)
        self._fleet.account.counts[str(status)] += 1  # it may be another account by now
        if status not in (OK, BUSY):
            self._fleet.account.wrong.append(f"{self._who}: {status} {answer[:SHOWN]!r}")
        elif status == OK and answer and line.url == self._fleet.url:
            self._fleet.account.handed.append((_read(answer)[0], began))
        return status, answer

    def _note(self, answered: tuple[int, bytes], said: _Answer) -> None:
        if answered[0] != OK:
            return
        if self.unsure is said:
            self.unsure = None
        if said.status != "NotNow":
            self._last = said
            self._done.add(said.uuid)
            self.holder.is_behind |= said.tells_to_synchronize
            digest = hashlib.sha256(said.body).digest()
            self._fleet.account.told.append(Told(str(self._who), said.uuid, said.status, digest, said.version))

    def _answered(self, command: bytes) -> _Answer:
        answer = self._answer(*_read(command))
        if answer.uuid in self._done:
            self._fleet.account.wrong.append(f"{answer.uuid}: asked again after its answer was kept")
        if answer.status != "NotNow":
            self.unsure = answer  # it is said again until it is known to be kept
        return answer

    def _answer(self, uuid: UUID, request_type: str) -> _Answer:
        if self._is_busy:
            return self._made(uuid, "NotNow", {})
        if request_type == COMMAND:  # one that fails is told of again too late for us: ten minutes later
            return replace(self._made(uuid, "Acknowledged", {}), tells_to_synchronize=True)
        if self._happens(self._fleet.manner.failed):
            return self._made(uuid, "Error", {"ErrorChain": _ERROR_CHAIN})
        if request_type == "InstalledApplicationList" and next(self._fleet.lists) % LARGE == 0:
            return self._made_large(uuid)
        if request_type == "DeviceInformation":
            return self._made_information(uuid)
        return self._made(uuid, "Acknowledged", {request_type: []})

    def _made_information(self, uuid: UUID) -> _Answer:
        udid, version = self._who.device.udid, self._fleet.manner.version
        told = TOLD | {"UDID": udid, "SerialNumber": udid, "OSVersion": version}
        return replace(self._made(uuid, "Acknowledged", {"QueryResponses": told}), version=version)

    def _made_large(self, uuid: UUID) -> _Answer:
        self._fleet.account.counts["large"] += 1
        most = self._chance.randint(1, self._fleet.manner.largest) * MIB // len(_APPLICATION % 0)
        applications = b"".join(_APPLICATION % number for number in range(most))
        small = self._made(uuid, "Acknowledged", {"InstalledApplicationList": []})
        return replace(small, body=small.body.replace(b"<array/>", b"<array>%s</array>" % applications))

    def _made(self, uuid: UUID, status: str, details: dict[str, Any]) -> _Answer:
        keys = self._who.sender | {"CommandUUID": str(uuid).upper(), "Status": status}
        return _Answer(uuid, status, dump(keys | details))

    def _happens(self, share: float) -> bool:
        return self._chance.random() < share


def _read(command: bytes) -> tuple[UUID, str]:
    found = _COMMAND.search(command)
    if found is None:
        raise ValueError("a command without its UUID")
    keys = {found[1]: found[2], found[3]: found[4]}
    return UUID(keys[b"CommandUUID"].decode()), keys[b"RequestType"].decode()


def play(devices: int, seed: str, files: ServerFiles, told: Connection) -> None:
    """The process: says at which port APNs is, hears where the gateway is and how to behave, gives account."""
    asyncio.run(_play(devices, seed, files, told))  # the stand-in works on asyncio's own loop only


async def _play(count: int, seed: str, files: ServerFiles, told: Connection) -> None:
    allow_descriptors()
    devices: dict[int, Device] = {}
    stand_in = await StandIn(
        tls=server_context(files, clients=files.ca), script=Script(), watcher=partial(_wake, devices)
    ).start()
    told.send(stand_in.port)
    url, manner = await asyncio.to_thread(told.recv)
    fleet = Fleet(urlsplit(url), manner)
    devices |= {who.place: Device(who, fleet, seed) for who in channels.all_of(count)}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stand_in.serve())
        tasks.create_task(_obey(fleet, devices, told))
        for device in devices.values():
            tasks.create_task(device.live())


async def _obey(fleet: Fleet, devices: Mapping[int, Device], told: Connection) -> None:
    while True:
        match await asyncio.to_thread(told.recv):
            case Manner() as manner:
                fleet.manner = manner
            case _:
                told.send(fleet.take_account(devices))


def _wake(devices: Mapping[int, Device], seen: Seen) -> None:
    device = devices.get(int(seen.asked.token, 16)) if seen.answer.status == OK else None
    if device is not None:
        device.wake()


# Long rather than many: how many keys an answer may have is limited, too (epmm/wire/limits.py).
_APPLICATION: Final = (
    b"<dict><key>Identifier</key><string>com.example.application%07d</string><key>Name</key><string>Example</string>"
    b"<key>ShortVersion</key><string>1.2</string><key>Notes</key><string>"
    + b"It has a long story. " * 200
    + b"</string></dict>"
)
_ERROR_CHAIN: Final = [
    {"ErrorCode": 12021, "ErrorDomain": "MCMDMErrorDomain", "LocalizedDescription": "It does not work here."}
]
