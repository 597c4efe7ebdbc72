"""The device door: a bare ASGI application for `PUT /mdm/checkin` and `PUT /mdm/connect`."""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Final

from devices.door.caller import Caller
from devices.door.exchange import PLIST, Answer, DeviceRequest, Handlers
from devices.door.refusals import Refusal, UnknownPath, WrongMethod, refusal_for
from devices.door.store import Exchange, Outcome, Store
from devices.errors import DeviceRefused
from devices.models import Payload
from devices.protocol.checkin import has_message_type
from devices.protocol.result import ConnectMessage
from devices.protocol.stamp import stamp
from devices.protocol.toplevel import TopLevel, read_top_level
from epmm.asgi_http import Disconnected, Receive, Scope, Send, read_body, respond
from epmm.gates import Gate, Visit
from epmm.metrics import DoorFigures
from epmm.orm_threads import OrmThreads
from epmm.wire.x509 import sha256

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
    large_bytes: int = 128 << 20  # of all of those together, as far as they have come
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
        self._gate = Gate(self._limits.requests)
        self._gate_for_large = Gate(self._limits.large_bytes)
        self._handler_threads = OrmThreads(
            HANDLER_THREADS, most=self._limits.check_ins, seconds=self._limits.check_in_seconds, name="door-handler"
        )
        self._reader_threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="door-reader")

    async def open(self) -> None:
        await self._store.open()
        self._figures.watch()

    async def close(self) -> None:
        """The server takes no more requests; what was begun ends here."""
        self._figures.end()
        await self._handler_threads.close()
        await asyncio.to_thread(self._reader_threads.shutdown)
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
        limits = self._limits
        with Visit(self._gate_for_large, least=limits.large_body + 1) as large:
            body = await read_body(scope, receive, limit=limits.body, seconds=limits.body_seconds, came=large.hold)
            with Visit(self._gate) as visit:
                visit.hold()
                request, content = await self._opened(caller, body)
                if not has_message_type(content):  # both URLs may be one, so the message says which kind it is
                    return await self._connect(request, ConnectMessage.parse(content))
            # check-ins may wait for something; connects must not wait for them
            answer = await self._handler_threads.run(self._handlers.check_in, request)
        if answer.status == HTTPStatus.UNAUTHORIZED:
            raise RuntimeError("a handler made a bare 401, which would unenroll the device")
        return answer

    async def _opened(self, caller: Caller, body: bytes) -> tuple[DeviceRequest, TopLevel]:
        if len(body) <= self._limits.large_body and len(caller.signature or b"") <= self._limits.large_signature:
            return _request(caller, body), read_top_level(body)
        loop = asyncio.get_running_loop()
        request = await loop.run_in_executor(self._reader_threads, _request, caller, body)
        await self._handler_threads.run(self._handlers.recognize, request)  # anybody can sign with something
        return request, await loop.run_in_executor(self._reader_threads, read_top_level, body)

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
            await self._handler_threads.run(self._handlers.explain, request, exchange.device_key)
            outcome = await self._store.connect(replace(exchange, bearer_sha256=None))
            if not outcome.found:
                raise DeviceRefused("no active enrollment, and no reason found")
        about = _about(message, outcome)
        if outcome.command is None:
            return Answer(about=about) if about else Answer.EMPTY
        return Answer(body=stamp(_PAYLOAD.open(outcome.sealed), outcome.command), content_type=PLIST, about=about)


def _request(caller: Caller, body: bytes) -> DeviceRequest:
    certificate = caller.certificate(body)
    return DeviceRequest(
        body=body,
        certificate=certificate,
        certificate_sha256=sha256(certificate),
        bearer_sha256=caller.bearer_sha256,
        address=caller.address,
    )


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
