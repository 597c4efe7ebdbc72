"""A strict device in front of the door, and a recording stand-in for the services behind it."""

import asyncio
import base64
import hashlib
import plistlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, Self, TypeAlias
from uuid import UUID

import httpx2
from django.utils import timezone

from devices.door.app import PATHS, Door
from devices.door.exchange import PLIST, Answer, DeviceRequest
from devices.door.store import Exchange, Outcome, Store, Stores
from devices.door.sync import LEFT, Sync, Synced
from devices.models import Channel, Command, Enrollment, Identity, Payload
from devices.protocol.result import Status
from devices.protocol.stamp import NOBODY
from epmm.asgi_http import Headers
from epmm.batching import BatchingStore
from epmm.direct import LARGEST_BODY
from tests import pki
from users.models import User

LAPTOP: Final = "192.0.2.7"  # some device out there
PROXY: Final = "192.0.2.1"
BEARER: Final = "token-of-anna"
_numbers: Final = count(1)

DoorStore: TypeAlias = BatchingStore[Exchange, Outcome]


@dataclass
class Batches:
    """A store with an event loop of its own, which turns while it is asked."""

    store: DoorStore
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def __enter__(self) -> Self:
        self.runner.run(self.store.open())
        return self

    def __exit__(self, *_: object) -> None:
        self.runner.run(self.store.close())
        self.runner.close()

    def answers(self, exchanges: Sequence[Exchange]) -> list[Outcome | BaseException]:
        """Asked at the same time, and so one batch."""

        async def asked() -> list[Outcome | BaseException]:
            return await asyncio.gather(*map(self.store.connect, exchanges), return_exceptions=True)

        return self.runner.run(asked())

    def commit(self, exchanges: Sequence[Exchange]) -> list[Outcome]:
        """Raises what went wrong with any."""
        outcomes: list[Outcome] = []
        for answer in self.answers(exchanges):
            if isinstance(answer, BaseException):
                raise answer
            outcomes.append(answer)
        return outcomes


class NoSyncs:
    """Leaves everything about declarations to the handlers."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    def ask(self, _question: Sync, done: Callable[[Synced | Exception], object]) -> None:
        done(LEFT)

    async def connect(self, _question: Sync) -> Synced:
        return LEFT


def only(connects: Store[Exchange, Outcome]) -> Stores:
    return Stores(connects, NoSyncs())


class RecordingHandlers:
    """Says what it is told to say, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answer: Answer | Exception = Answer.EMPTY
        self.explanation: Exception | None = None
        self.checked_in: list[DeviceRequest] = []
        self.explained: list[tuple[bytes, str]] = []
        self.stranger: Exception | None = None
        self.number: int | None = None  # of the device
        self.recognized: list[bytes] = []

    def check_in(self, request: DeviceRequest) -> Answer:
        self.checked_in.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def recognize(self, request: DeviceRequest) -> int | None:
        self.recognized.append(request.certificate_sha256)
        if self.stranger is not None:
            raise self.stranger
        return self.number

    def explain(self, request: DeviceRequest, device_key: str) -> None:
        self.explained.append((request.certificate_sha256, device_key))
        if self.explanation is not None:
            raise self.explanation


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def command(self) -> UUID | None:
        """The command that it carries; None for the empty answer, which must be zero bytes."""
        assert self.status == 200
        if not self.body:
            assert self.headers["content-length"] == "0"
            assert "content-type" not in self.headers
            return None
        assert self.headers["content-type"] == PLIST
        return UUID(plistlib.loads(self.body)["CommandUUID"])


class Direct:
    """A request as it comes without ASGI, and its answer."""

    def __init__(self, path: str, body: bytes, headers: Mapping[bytes, bytes], peer: str | None) -> None:
        self.path = path
        self.body = body
        self.headers = headers
        self.peer = peer
        self.is_whole = True
        self.began = time.perf_counter()
        self.answered: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    def answer(self, status: int, body: bytes = b"", content_type: str = "", headers: Headers = ()) -> None:
        given = {name.decode(): value.decode() for name, value in headers}
        kind = {"content-type": content_type} if content_type else {}
        self.answered.set_result(Reply(status, body, {"content-length": str(len(body)), **kind, **given}))


@dataclass
class Site:
    """One door and one event loop, which turns while somebody asks."""

    runner: asyncio.Runner
    door: Door
    handlers: RecordingHandlers
    is_direct: bool = False  # what may come without ASGI does

    def put(
        self,
        body: bytes,
        headers: Mapping[str, str] | list[tuple[str, str]],
        *,
        path: str = "/mdm/connect",
        address: str = LAPTOP,
        method: str = "PUT",
    ) -> Reply:
        pairs = list(headers.items() if isinstance(headers, Mapping) else headers)
        given = {name.lower().encode(): value.encode() for name, value in pairs}
        is_plain = method == "PUT" and path in PATHS and len(body) <= LARGEST_BODY and len(given) == len(pairs)
        if self.is_direct and is_plain:
            return self.runner.run(self._serve(path, body, given, address))
        return self.runner.run(self._send(method, path, body, pairs, address))

    async def _serve(self, path: str, body: bytes, headers: Mapping[bytes, bytes], address: str) -> Reply:
        direct = Direct(path, body, headers, address)
        self.door.serve(direct, "request-of-a-device")  # type: ignore[arg-type] # what the door uses of it
        async with asyncio.timeout(30):
            return await direct.answered

    async def _send(self, method: str, path: str, body: bytes, headers: list[tuple[str, str]], address: str) -> Reply:
        transport = httpx2.ASGITransport(app=self.door, client=(address, 50_000))
        async with httpx2.AsyncClient(transport=transport, base_url="https://mdm.example.test") as client:
            response = await client.request(method, path, content=body, headers=headers)
        return Reply(response.status_code, response.content, response.headers)


@dataclass
class FakeDevice:
    """Signs what it sends, as an enrolled device does."""

    site: Site
    identity: pki.Identity
    udid: str
    enrollment: Enrollment
    bearer: str | None = BEARER
    user_id: str | None = None

    @classmethod
    def enrolled(cls, site: Site, *, key: pki.Key | None = None, bearer: str | None = BEARER) -> "FakeDevice":
        number = next(_numbers)
        udid = f"00008140-{number:016X}"
        enrollment = Enrollment.objects.create(
            user=User.objects.get_or_create(user_id="anna")[0],
            kind=Enrollment.Kind.ADDE,
            state=Enrollment.State.ACTIVE,
            managed_apple_account="anna@example.test",
            topic="com.apple.mgmt.External.test",
            server_url="https://mdm.example.test/mdm/connect",
            checkin_url="https://mdm.example.test/mdm/checkin",
            profile_identifier="test.epmm.enrollment",
            udid=udid,
            device_key=udid,
            bearer_sha256=hashlib.sha256(BEARER.encode()).digest(),
        )
        Channel.objects.create(enrollment=enrollment)
        device = cls(site, pki.issue(udid, key=key), udid, enrollment, bearer)
        device.pin()
        return device

    def pin(self, *, state: Identity.State = Identity.State.CURRENT, not_after: datetime | None = None) -> Identity:
        return Identity.objects.create(
            enrollment=self.enrollment,
            sha256=hashlib.sha256(self.identity.der).digest(),
            serial_number=str(next(_numbers)),
            der=self.identity.der,
            not_before=timezone.now() - timedelta(days=1),
            not_after=not_after or timezone.now() + timedelta(days=365),
            state=state,
        )

    @property
    def channel(self) -> Channel:
        return self.enrollment.channels.get(user_key=self.user_id or "")

    def user(self, user_id: str) -> "FakeDevice":
        """The same Mac, for one of its users: same certificate, a channel of its own."""
        self.enrollment.channels.get_or_create(user_key=user_id)
        return FakeDevice(self.site, self.identity, self.udid, self.enrollment, self.bearer, user_id)

    def queue(self, request_type: str = "DeviceInformation", *, priority: int = 0) -> Command:
        said = {"CommandUUID": str(NOBODY), "Command": {"RequestType": request_type}}
        (payload,) = Payload.objects.of([plistlib.dumps(said, sort_keys=False)])
        return Command.objects.create(
            channel=self.channel, request_type=request_type, priority=priority, payload=payload
        )

    def idle(self) -> Reply:
        return self.connect("Idle")

    def report(self, status: str, command: Command | UUID, **keys: Any) -> Reply:
        uuid = command.uuid if isinstance(command, Command) else command
        return self.connect(status, CommandUUID=str(uuid).upper(), **keys)

    def connect(self, status: str, **keys: Any) -> Reply:
        return self.send({"Status": status, **keys})

    def send(self, keys: dict[str, Any], *, path: str = "/mdm/connect") -> Reply:
        body = self.message(keys)
        return self.site.put(body, self.headers(body), path=path)

    def message(self, keys: dict[str, Any]) -> bytes:
        user = {"UserID": self.user_id} if self.user_id else {}
        return plistlib.dumps({"UDID": self.udid, **user, **keys})

    def headers(self, body: bytes) -> dict[str, str]:
        bearer = {"Authorization": f"Bearer {self.bearer}"} if self.bearer else {}
        return {"Mdm-Signature": self.sign(body), **bearer}

    def sign(self, body: bytes, **how: Any) -> str:
        return base64.b64encode(pki.sign(body, self.identity, detached=True, **how)).decode()


def idle(device: FakeDevice) -> Exchange:
    return Exchange(
        sha256=hashlib.sha256(device.identity.der).digest(), device_key=device.udid, user_key=device.user_id or ""
    )


def acknowledged(device: FakeDevice, command: Command, body: bytes = b"result") -> Exchange:
    return Exchange(
        sha256=hashlib.sha256(device.identity.der).digest(),
        device_key=device.udid,
        status=Status.ACKNOWLEDGED,
        command=command.uuid,
        body=body,
    )
