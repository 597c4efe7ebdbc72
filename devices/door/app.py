"""The device door: a bare ASGI application for `PUT /mdm/checkin` and `PUT /mdm/connect`."""

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Final, ParamSpec, Self, TypeVar

from django.db import close_old_connections

from devices.door.caller import Caller
from devices.door.exchange import PLIST, Answer, DeviceRequest, Handlers
from devices.door.refusals import Overloaded, Refusal, UnknownPath, WrongMethod, refusal_for
from devices.door.store import Exchange, Outcome, Store
from devices.errors import DeviceRefused
from devices.models import Payload
from devices.protocol.checkin import has_message_type
from devices.protocol.result import ConnectMessage
from devices.protocol.stamp import stamp
from devices.protocol.toplevel import TopLevel, read_top_level
from epmm.asgi_http import BodyTooLarge, Disconnected, Receive, Scope, Send, read_body, respond
from epmm.metrics import DoorFigures
from epmm.orm_threads import close_connections
from epmm.wire.x509 import sha256

P = ParamSpec("P")
T = TypeVar("T")

PATHS: Final = frozenset(("/mdm/checkin", "/mdm/connect"))
HANDLER_THREADS: Final = 8
READER_THREADS: Final = 2
_PAYLOAD: Final = Payload._meta.get_field("rendered")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of anything is taken at once.  What is more is turned away; a device comes again by itself."""

    body: int = 16 << 20  # InstalledApplicationList and CertificateList reach hundreds of kilobytes
    body_seconds: float = 60
    large_body: int = 64 << 10  # larger ones are read in a thread
    large_bodies: int = 8
    large_signature: int = 4096  # so are these; checking a device's, of half that size, takes less than handing it over
    requests: int = 256
    check_ins: int = 32
    check_in_seconds: float = 30


class Door:
    def __init__(self, *, handlers: Handlers, store: Store, limits: Limits | None = None) -> None:
        self._handlers = handlers
        self._store = store
        self._figures = DoorFigures()
        self._limits = limits or Limits()
        self._gate = _Gate(self._limits.requests)
        self._gate_for_large = _Gate(self._limits.large_bodies)
        self._checking_in = 0
        self._handler_threads = ThreadPoolExecutor(HANDLER_THREADS, thread_name_prefix="door-handler")
        self._reader_threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="door-reader")

    async def open(self) -> None:
        await self._store.open()
        self._figures.watch()

    async def close(self) -> None:
        """The server takes no more requests; what was begun ends here."""
        self._figures.end()
        await asyncio.to_thread(close_connections, self._handler_threads, HANDLER_THREADS)
        for threads in (self._handler_threads, self._reader_threads):
            await asyncio.to_thread(threads.shutdown)
        await self._store.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._figures.inside += 1
        try:
            await self._serve_one(scope, receive, send)
        finally:
            self._figures.inside -= 1

    async def _serve_one(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        refusal = None
        try:
            answer = await self._answer(scope, receive)
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001 -- one table knows them, and what it does not know is logged whole
            refusal = refusal_for(error, accept=_accepted(scope))
            answer = refusal.answer
        headers = refusal.headers if refusal else ()
        await respond(send, answer.status, answer.body, answer.content_type, headers)
        seconds = time.perf_counter() - started
        self._figures.answered(scope["path"], answer.status, seconds, refusal.kind if refusal else None)
        _log(scope, answer, seconds, refusal)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        if scope["path"] not in PATHS:
            raise UnknownPath
        if scope["method"] != "PUT":
            raise WrongMethod
        client = scope.get("client")
        caller = Caller.read(scope["headers"], client[0] if client else None)
        with _Visit(self._gate_for_large) as large:
            check = partial(self._check_size, large)
            body = await read_body(scope, receive, check=check, seconds=self._limits.body_seconds)
            with _Visit(self._gate) as visit:
                visit.enter()
                request, content = await self._opened(caller, body)
                if not has_message_type(content):  # both URLs may be one, so the message says which kind it is
                    return await self._connect(request, ConnectMessage.parse(content))
            # check-ins may wait for something; connects must not wait for them
            answer = await self._in_thread(self._handlers.check_in, request)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise RuntimeError("a handler made a bare 401, which would unenroll the device")
        return answer

    def _check_size(self, large: "_Visit", size: int) -> None:
        if size > self._limits.body:
            raise BodyTooLarge
        if size > self._limits.large_body:
            large.enter()

    async def _opened(self, caller: Caller, body: bytes) -> tuple[DeviceRequest, TopLevel]:
        if len(body) <= self._limits.large_body and len(caller.signature or b"") <= self._limits.large_signature:
            return _open(caller, body)
        return await asyncio.get_running_loop().run_in_executor(self._reader_threads, _open, caller, body)

    async def _connect(self, request: DeviceRequest, message: ConnectMessage) -> Answer:
        exchange = Exchange(
            sha256=request.certificate_sha256,
            device_key=message.sender.device_key,
            user_key=message.sender.user_key,
            bearer_sha256=request.bearer_sha256,
            status=message.status,
            command=message.command,
            body=request.body,
        )
        outcome = await self._store.connect(exchange)
        if not outcome.found:
            await self._in_thread(self._handlers.explain, request, exchange.device_key)
            outcome = await self._store.connect(replace(exchange, bearer_sha256=None))
            if not outcome.found:
                raise DeviceRefused("no active enrollment, and no reason found")
        about = _about(message, outcome)
        if outcome.command is None:
            return Answer(about=about) if about else Answer.EMPTY
        return Answer(body=stamp(_PAYLOAD.open(outcome.sealed), outcome.command), content_type=PLIST, about=about)

    async def _in_thread(self, call: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """So many at once, whether or not anybody still waits for them."""

        def run() -> T:
            close_old_connections()
            try:
                return call(*arguments, **keywords)
            finally:
                close_old_connections()

        if self._checking_in >= self._limits.check_ins:
            raise Overloaded
        self._checking_in += 1
        loop, work = asyncio.get_running_loop(), self._handler_threads.submit(copy_context().run, run)
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._left))
        async with asyncio.timeout(self._limits.check_in_seconds):
            return await asyncio.wrap_future(work)

    def _left(self) -> None:
        self._checking_in -= 1


@dataclass(slots=True)
class _Gate:
    """Lets so many in at once, and turns the others away instead of letting them wait."""

    free: int


class _Visit:
    """Of a gate: it ends with its block, if it began at all."""

    __slots__ = ("_gate", "_is_inside")

    def __init__(self, gate: _Gate) -> None:
        self._gate = gate
        self._is_inside = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_inside:
            self._gate.free += 1

    def enter(self) -> None:
        """More than once is once."""
        if self._is_inside:
            return
        if not self._gate.free:
            raise Overloaded
        self._gate.free -= 1
        self._is_inside = True


def _open(caller: Caller, body: bytes) -> tuple[DeviceRequest, TopLevel]:
    certificate = caller.certificate(body)
    request = DeviceRequest(
        body=body,
        certificate=certificate,
        certificate_sha256=sha256(certificate),
        bearer_sha256=caller.bearer_sha256,
        address=caller.address,
    )
    return request, read_top_level(body)


def _accepted(scope: Scope) -> str:
    return b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")


def _about(message: ConnectMessage, outcome: Outcome) -> dict[str, str]:
    """By the names of ours alone: what a device calls itself says who has it."""
    about = {}
    if message.command is not None:
        about = {"command": str(message.command).upper(), "status": message.status.value}
    if outcome.command is not None:
        about["offered"] = str(outcome.command).upper()
    return about


def _log(scope: Scope, answer: Answer, seconds: float, refusal: Refusal | None) -> None:
    """Only our own words: a path or a method that we do not know may hold anything."""
    path = scope["path"] if scope["path"] in PATHS else "elsewhere"
    method = "PUT" if scope["method"] == "PUT" else "not PUT"
    why = f" ({refusal.why})" if refusal else ""
    status = answer.status
    level = {500: logging.ERROR, 503: logging.WARNING}.get(status, logging.INFO)
    trace = refusal.error if refusal and level == logging.ERROR else None
    log.log(level, "%s %s %d %.1f ms%s", method, path, status, seconds * 1000, why, exc_info=trace, extra=answer.about)
