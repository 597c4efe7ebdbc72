"""The device door: a bare ASGI application for `PUT /mdm/checkin` and `PUT /mdm/connect`."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from devices.door.caller import Caller
from devices.door.exchange import PLIST, Answer, DeviceRequest, Handlers
from devices.door.refusals import Refusal, UnknownPath, WrongMethod, refusal_for
from devices.door.store import Exchange, Outcome, Stores
from devices.door.sync import MESSAGE_TYPE, Sync, Synced, answer_to
from devices.errors import DeviceRefused
from devices.models import Payload
from devices.protocol.checkin import has_message_type
from devices.protocol.result import ConnectMessage
from devices.protocol.stamp import stamp
from devices.protocol.toplevel import TopLevel, read_top_level
from epmm import request_id
from epmm.asgi_http import BodyTooLarge, BodyTooSlow, Disconnected, Headers, Receive, Scope, Send, read_body, respond
from epmm.direct import LARGEST_BODY, DirectRequest
from epmm.direct import PATHS as DIRECT_PATHS
from epmm.gates import Gate, Overloaded, Visit
from epmm.logging import inform
from epmm.metrics import DoorFigures
from epmm.orm_threads import OrmThreads
from epmm.wire.errors import WireError
from epmm.wire.x509 import sha256

PATHS: Final = frozenset(DIRECT_PATHS.values())
HANDLER_THREADS: Final = 8
STRANGER_THREADS: Final = 2
MOST_RECOGNIZED: Final = 1 << 14
READER_THREADS: Final = 2
_PAYLOAD: Final = Payload._meta.get_field("rendered")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of anything is taken at once.  What is more is turned away; a device comes again by itself."""

    body: int = 16 << 20  # InstalledApplicationList and CertificateList reach hundreds of kilobytes
    body_seconds: float = 60
    large_body: int = LARGEST_BODY  # larger ones are read in a thread
    large_bytes: int = 128 << 20  # of all of those together, as far as they have come
    large_signature: int = 4096  # so are these; checking a device's, of half that size, takes less than handing it over
    requests: int = 256
    check_ins: int = 256
    check_in_seconds: float = 30
    strangers: int = 32  # of whom nothing is known yet: a certificate of one's own making costs nothing


class Door:
    def __init__(self, *, handlers: Handlers, stores: Stores, limits: Limits | None = None) -> None:
        self._handlers = handlers
        self._connects, self._syncs = stores.connects, stores.syncs
        self._figures = DoorFigures()
        self._limits = limits or Limits()
        self._gate = Gate(self._limits.requests)
        self._gate_for_large = Gate(self._limits.large_bytes)
        self._handler_threads = OrmThreads(
            HANDLER_THREADS, most=self._limits.check_ins, seconds=self._limits.check_in_seconds, name="door-handler"
        )
        self._stranger_threads = OrmThreads(
            STRANGER_THREADS, most=self._limits.strangers, seconds=self._limits.check_in_seconds, name="door-stranger"
        )
        self._recognized: dict[bytes, None] = {}  # fingerprints, the oldest first
        self._tasks: set[asyncio.Task[None]] = set()
        self._reader_threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="door-reader")

    async def open(self) -> None:
        await self._connects.open()
        await self._syncs.open()
        self._figures.watch()

    async def close(self) -> None:
        """The server takes no more requests; what was begun ends here."""
        await self._handler_threads.close()
        await self._stranger_threads.close()
        await asyncio.to_thread(self._reader_threads.shutdown)
        await self._connects.close()
        await self._syncs.close()
        self._figures.end()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Anything: what is large or comes in pieces, other methods, other paths."""
        turn = _Turn(scope["path"], scope["method"], scope["headers"], request_id.current())
        self._figures.inside += 1
        try:
            try:
                answer = await self._answer(turn, scope, receive)
            except Disconnected:
                return
            except Exception as error:  # noqa: BLE001 -- one table knows them, and what it does not know is logged whole
                answer = turn.refuse(error)
            await respond(send, answer.status, answer.body, answer.content_type, turn.more_headers)
            self._tell(turn, answer)
        finally:
            self._figures.inside -= 1

    def serve(self, direct: DirectRequest, name: str) -> None:
        """What is small and here; where it needs no more than the store, it gets no task of its own."""
        turn = _Turn(direct.path, "PUT", direct.headers.items(), name, direct.began)
        self._figures.inside += 1
        try:
            caller, question = self._read(direct)
        except Exception as error:  # noqa: BLE001 -- as above
            self._finish(turn, direct, turn.refuse(error))
            return
        if question is None:
            self._serve_later(turn, direct, self._answer_to(caller, direct.body))
        elif self._gate.free < 1:
            self._finish(turn, direct, turn.refuse(Overloaded()))
        else:
            self._gate.free -= 1
            if isinstance(question, Sync):
                self._syncs.ask(question, partial(self._synced, turn, direct, caller, question))
            else:
                self._connects.ask(question, partial(self._asked, turn, direct, caller, question))

    def _read(self, direct: DirectRequest) -> tuple[Caller, Exchange | Sync | None]:
        """None of what only the handlers can do, and of a signature that takes long to check."""
        if not direct.is_whole:
            raise BodyTooSlow
        caller = Caller.of(direct.headers, direct.peer)
        if self._is_large(caller, direct.body):
            return caller, None
        certificate, content = sha256(caller.certificate(direct.body)), read_top_level(direct.body)
        if not has_message_type(content):
            message = ConnectMessage.parse(content)
            return caller, _exchange(certificate, caller.bearer_sha256, direct.body, message)
        if content["MessageType"] != MESSAGE_TYPE:
            return caller, None
        return caller, Sync.of(caller, certificate, direct.body, content)

    def _asked(
        self, turn: "_Turn", direct: DirectRequest, caller: Caller, exchange: Exchange, outcome: Outcome | Exception
    ) -> None:
        self._gate.free += 1
        if isinstance(outcome, Exception):
            self._finish(turn, direct, turn.refuse(outcome))
        elif outcome.found:
            self._finish(turn, direct, _made(turn, partial(_answer, exchange, outcome)))
        else:
            self._serve_later(turn, direct, self._explained(_request(caller, direct.body), exchange))

    def _synced(
        self, turn: "_Turn", direct: DirectRequest, caller: Caller, sync: Sync, synced: Synced | Exception
    ) -> None:
        self._gate.free += 1
        if isinstance(synced, Exception):
            self._finish(turn, direct, turn.refuse(synced))
        elif synced.found:
            self._finish(turn, direct, _made(turn, partial(answer_to, sync, synced)))
        else:  # the handlers know why, or do it the long way
            if synced.is_known:
                self._remember(sync.sha256)
            self._serve_later(turn, direct, self._answer_to(caller, direct.body))

    def _serve_later(self, turn: "_Turn", direct: DirectRequest, answering: Coroutine[Any, Any, Answer]) -> None:
        task = asyncio.get_running_loop().create_task(self._serve_slowly(turn, direct, answering))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_slowly(self, turn: "_Turn", direct: DirectRequest, answering: Coroutine[Any, Any, Answer]) -> None:
        request_id.adopt(turn.name)
        try:
            answer = await answering
        except Exception as error:  # noqa: BLE001 -- as above
            answer = turn.refuse(error)
        self._finish(turn, direct, answer)

    def _finish(self, turn: "_Turn", direct: DirectRequest, answer: Answer) -> None:
        self._figures.inside -= 1
        direct.answer(answer.status, answer.body, answer.content_type, turn.more_headers)
        self._tell(turn, answer)

    def _tell(self, turn: "_Turn", answer: Answer) -> None:
        seconds, refusal = time.perf_counter() - turn.started, turn.refusal
        if refusal is None:
            self._figures.answered(turn.path, answer.status, seconds, None)
        else:
            self._figures.answered(turn.path, refusal.told_as, seconds, refusal.kind)
        _log(turn, answer, seconds)

    async def _answer(self, turn: "_Turn", scope: Scope, receive: Receive) -> Answer:
        if scope["path"] not in PATHS:
            raise UnknownPath
        if scope["method"] != "PUT":
            raise WrongMethod
        client = scope.get("client")
        caller = Caller.read(scope["headers"], client[0] if client else None)
        limits = self._limits
        try:
            with Visit(self._gate_for_large, least=limits.large_body + 1) as large:
                body = await read_body(scope, receive, limit=limits.body, seconds=limits.body_seconds, came=large.hold)
                return await self._answer_to(caller, body)
        except (BodyTooLarge, WireError):
            turn.device = await self._device_of(caller)
            raise

    async def _answer_to(self, caller: Caller, body: bytes) -> Answer:
        with Visit(self._gate) as visit:
            visit.hold()
            request, content = await self._opened(caller, body)
            if not has_message_type(content):  # both URLs may be one, so the message says which kind it is
                return await self._connect(request, ConnectMessage.parse(content))
        await self._recognize(request)
        # check-ins may wait for something; connects must not wait for them
        answer = await self._handler_threads.run(self._handlers.check_in, request)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise RuntimeError("a handler made a bare 401, which would unenroll the device")
        return answer

    async def _opened(self, caller: Caller, body: bytes) -> tuple[DeviceRequest, TopLevel]:
        if not self._is_large(caller, body):
            return _request(caller, body), read_top_level(body)
        loop = asyncio.get_running_loop()
        request = await loop.run_in_executor(self._reader_threads, _request, caller, body)
        await self._recognize(request)
        return request, await loop.run_in_executor(self._reader_threads, read_top_level, body)

    async def _recognize(self, request: DeviceRequest) -> None:
        """Before it takes what strangers must not: anybody can sign with something.

        Who is known from before passes, however many strangers come just now.
        """
        if request.certificate_sha256 in self._recognized:
            return
        await self._stranger_threads.run(self._handlers.recognize, request)
        self._remember(request.certificate_sha256)

    async def _device_of(self, caller: Caller) -> int | None:
        """Of whom it will come again and again; None: a stranger, or a signature that has not been checked."""
        loop = asyncio.get_running_loop()
        try:
            request = await loop.run_in_executor(self._reader_threads, _request, caller, b"")
            return await self._stranger_threads.run(self._handlers.recognize, request)
        except Exception:  # noqa: BLE001 -- why it is refused is known already
            return None

    def _remember(self, certificate: bytes) -> None:
        self._recognized[certificate] = None
        if len(self._recognized) > MOST_RECOGNIZED:
            del self._recognized[next(iter(self._recognized))]

    def _is_large(self, caller: Caller, body: bytes) -> bool:
        return len(body) > self._limits.large_body or len(caller.signature or b"") > self._limits.large_signature

    async def _connect(self, request: DeviceRequest, message: ConnectMessage) -> Answer:
        exchange = _exchange(request.certificate_sha256, request.bearer_sha256, request.body, message)
        outcome = await self._connects.connect(exchange)
        return _answer(exchange, outcome) if outcome.found else await self._explained(request, exchange)

    async def _explained(self, request: DeviceRequest, exchange: Exchange) -> Answer:
        """Why it was not found; or its answer, where only its bearer stood in the way."""
        await self._stranger_threads.run(self._handlers.explain, request, exchange.device_key)
        outcome = await self._connects.connect(replace(exchange, bearer_sha256=None))
        if not outcome.found:
            raise DeviceRefused("no active enrollment, and no reason found")
        return _answer(exchange, outcome)


class _Turn:
    """One request, until it is told of."""

    __slots__ = ("device", "headers", "method", "name", "path", "refusal", "started")

    def __init__(
        self, path: str, method: str, headers: Iterable[tuple[bytes, bytes]], name: str, started: float | None = None
    ) -> None:
        self.path = path
        self.method = method
        self.headers = headers
        self.name = name
        self.started = time.perf_counter() if started is None else started
        self.refusal: Refusal | None = None
        self.device: int | None = None  # that was refused what it will send again

    def refuse(self, error: Exception) -> Answer:
        accepted = b",".join(value for name, value in self.headers if name == b"accept").decode("latin-1")
        self.refusal = refusal_for(error, accept=accepted)
        return self.refusal.answer

    @property
    def more_headers(self) -> Headers:
        return self.refusal.headers if self.refusal else ()


def _made(turn: _Turn, make: Callable[[], Answer]) -> Answer:
    try:
        return make()
    except Exception as error:  # noqa: BLE001 -- as above
        return turn.refuse(error)


def _answer(exchange: Exchange, outcome: Outcome) -> Answer:
    about = _about(exchange, outcome)
    if outcome.command is None:
        return Answer(about=about) if about else Answer.EMPTY
    return Answer(body=stamp(_PAYLOAD.open(outcome.sealed), outcome.command), content_type=PLIST, about=about)


def _exchange(certificate: bytes, bearer: bytes | None, body: bytes, message: ConnectMessage) -> Exchange:
    """Of the certificate and the bearer their SHA-256."""
    return Exchange(
        sha256=certificate,
        device_key=message.sender.device_key,
        user_key=message.sender.user_key,
        bearer_sha256=bearer,
        status=message.status,
        command=message.command,
        body=body,
    )


def _request(caller: Caller, body: bytes) -> DeviceRequest:
    certificate = caller.certificate(body)
    return DeviceRequest(
        body=body,
        certificate=certificate,
        certificate_sha256=sha256(certificate),
        bearer_sha256=caller.bearer_sha256,
        address=caller.address,
        came_at=caller.came_at,
    )


def _about(exchange: Exchange, outcome: Outcome) -> dict[str, str]:
    """By the names of ours alone: what a device calls itself says who has it."""
    about = {}
    if exchange.command is not None:
        about["command"] = str(exchange.command).upper()
    if outcome.command is not None:
        about["offered"] = str(outcome.command).upper()
    if exchange.command is not None:
        about["status"] = exchange.status.value
    return about


def _log(turn: _Turn, answer: Answer, seconds: float) -> None:
    """Only our own words: a path or a method that we do not know may hold anything."""
    path = turn.path if turn.path in PATHS else "elsewhere"
    method = "PUT" if turn.method == "PUT" else "not PUT"
    said = f"{method} {path} {answer.status} {seconds * 1000:.1f} ms"
    if turn.refusal is None:
        inform(log, said, answer.about, turn.name)
        return
    level = {500: logging.ERROR, 503: logging.WARNING}.get(answer.status, logging.INFO)
    about: dict[str, object] = {**answer.about}
    if turn.device is not None:
        level, about["device"] = logging.WARNING, turn.device
    trace = turn.refusal.error if level == logging.ERROR else None
    with request_id.known_as(turn.name):
        log.log(level, "%s (%s)", said, turn.refusal.why, exc_info=trace, extra=about)
