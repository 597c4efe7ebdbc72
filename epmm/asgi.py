"""Both doors on one port: `/mdm/` to the device door, all else to Django over WSGI in a pool of threads.

Django's own ASGI handler would run our synchronous views at a tenth of the speed, so it is not used.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from contextvars import ContextVar
from itertools import takewhile
from typing import Any, Final
from urllib.parse import quote_from_bytes

from a2wsgi import WSGIMiddleware
from django.db import connections

from epmm.wsgi import application as django_application  # sets Django up, so it stands before all that needs it

# isort: split
from devices.door.app import Door
from devices.door.store import stores_for
from enrollment.checkin import CheckinHandlers
from epmm import collector, metrics, request_id
from epmm.asgi_http import (
    BodyTooLarge,
    BodyTooSlow,
    Disconnected,
    Headers,
    Message,
    Receive,
    Scope,
    Send,
    read_body,
    respond,
)
from epmm.client_address import is_trusted_proxy
from epmm.direct import DirectRequest
from epmm.orm_threads import close_connections

FRONT_THREADS: Final = 16
FRONT_REQUESTS: Final = 512
# A body is read before it takes a thread: a caller who sends a byte a minute holds a connection, and nothing else.
FRONT_BODY: Final = 1 << 20
FRONT_BODY_SECONDS: Final = 30
TOO_LARGE: Final = "/too-large"
ALIVE: Final = "/healthz"
_gone: ContextVar[threading.Event] = ContextVar("_gone")
_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))


class Gateway:
    """Both doors, or one of them where they run as processes of their own behind a proxy."""

    def __init__(self, *, has_front: bool = True, has_door: bool = True) -> None:
        self._front = FrontDoor() if has_front else None
        self._has_door = has_door
        self._door: Door | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)

    @property
    def takes_directly(self) -> bool:
        return self._door is not None

    def serve(self, request: DirectRequest) -> None:
        if self._door is None:
            request.answer(503)
        else:
            self._door.serve(request, _name(request.headers.get(b"x-request-id"), request.peer))

    async def open(self) -> None:
        if not self._has_door:
            return
        self._door = Door(handlers=CheckinHandlers(), stores=stores_for(connections["default"].settings_dict))
        await self._door.open()

    async def close(self) -> None:
        if self._door is not None:
            await self._door.close()
        self._door = None
        if self._front is not None:
            await self._front.close()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != "/mdm" and not scope["path"].startswith("/mdm/"):
            await (self._front or _only_alive)(scope, receive, send)
        elif self._door is None:  # not open yet, or sent here by mistake: a device comes again
            await respond(send, 503)
        else:
            given = next((value for name, value in scope["headers"] if name == b"x-request-id"), None)
            request_id.adopt(_name(given, scope["client"][0] if scope["client"] else None))
            await self._door(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await self.open()
        collector.spare()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})


class FrontDoor:
    """Django, with what a WSGI server in front of it would have kept away."""

    def __init__(self) -> None:
        wsgi: Any = _answer  # each of the three packages has types of its own for one and the same thing
        self._wsgi: Any = WSGIMiddleware(wsgi, workers=FRONT_THREADS)
        self._inside = 0

    async def close(self) -> None:
        await asyncio.to_thread(close_connections, self._wsgi.executor, FRONT_THREADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()

        async def turn_away(status: int, headers: Headers = ()) -> None:
            await respond(send, status, headers=headers)
            metrics.observe_front(scope["path"], status, time.perf_counter() - began)

        try:
            body = await read_body(scope, receive, limit=FRONT_BODY, seconds=FRONT_BODY_SECONDS)
        except BodyTooLarge:
            if not scope["path"].startswith("/admin/"):
                # an enrollment request has one answer to all that it cannot be (protocol reference, 2.1)
                return await turn_away(400 if scope["path"].startswith("/enroll/") else 413)
            scope, body = _said_in_words(scope), b""
        except BodyTooSlow:
            return await turn_away(408)
        except Disconnected:
            return None
        if self._inside >= FRONT_REQUESTS:
            if scope["path"] == ALIVE:  # a proxy would send what is too much to the others
                return await _only_alive(scope, receive, send)
            return await turn_away(503, ((b"retry-after", b"5"),))
        gone = threading.Event()
        _gone.set(gone)
        watching = asyncio.create_task(_watch(receive, gone))
        self._inside += 1
        try:
            await self._wsgi(_cleaned(scope), _replay(body), send)
        finally:
            watching.cancel()
            self._inside -= 1


def _answer(environ: Any, start_response: Any) -> Iterator[bytes]:
    """A million rows for a caller who has hung up are not sent into the void, with a thread of their own."""
    gone = _gone.get()
    with closing(django_application(environ, start_response)) as answer:
        yield from takewhile(lambda _piece: not gone.is_set(), answer)


async def _watch(receive: Receive, gone: threading.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


def _said_in_words(scope: Scope) -> Scope:
    """Who chose too large a file in a browser is told by a page, as of an answer without a body nothing is seen."""
    own = [(name, value) for name, value in scope["headers"] if name not in {b"content-length", b"transfer-encoding"}]
    place = {"method": "GET", "path": TOO_LARGE, "raw_path": TOO_LARGE.encode(), "query_string": b""}
    return {**scope, **place, "headers": own}


async def _only_alive(scope: Scope, _receive: Receive, send: Send) -> None:
    """What is left of the front door without one: the question of a proxy."""
    is_asked = scope["path"] == ALIVE
    await respond(send, 200 if is_asked else 404, b"ok\n" if is_asked else b"", "text/plain" if is_asked else "")


def _name(given: bytes | None, peer: str | None) -> str:
    """By which the log knows the request: the proxy's own name for it, or a new one."""
    if given is not None and peer is not None and is_trusted_proxy(peer):
        return request_id.given(given.decode("latin-1"))
    return request_id.new()


def _cleaned(scope: Scope) -> Scope:
    """WSGI cannot tell `X_Name` from `X-Name`, so the first is dropped; and a query is ASCII there.

    Of a content type only `boundary` stays: Django looks up whatever `charset` names, and fails where it is no text.
    """
    headers = [
        (name, _media_type(value) if name == b"content-type" else value)
        for name, value in scope["headers"]
        if b"_" not in name
    ]
    query = quote_from_bytes(scope["query_string"], safe=_PRINTABLE).encode("ascii")
    return {**scope, "headers": headers, "query_string": query}


def _media_type(value: bytes) -> bytes:
    kind, *parameters = value.split(b";")
    kept = [parameter for parameter in parameters if parameter.strip().lower().startswith(b"boundary=")]
    return b";".join([kind, *kept])


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


application = Gateway()
devices_only = Gateway(has_front=False)
front_only = Gateway(has_door=False)
