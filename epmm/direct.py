"""The short way to the device door, for what comes whole, small and plain: nearly everything that devices send.

An ASGI application's task, messages and their checks cost as much as all that the door does.  What this module leaves
to uvicorn reaches the same door as ASGI.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.server import ServerState

from epmm.asgi_http import Headers
from epmm.patience import ImpatientProtocol

PATHS: Final = {b"/mdm/checkin": "/mdm/checkin", b"/mdm/connect": "/mdm/connect"}
LARGEST_BODY: Final = 64 << 10  # bytes
LONGEST_LENGTH: Final = 5  # digits
BODY_SECONDS: Final = 60.0


class Application(Protocol):
    """An ASGI application that takes requests directly, too."""

    @property
    def takes_directly(self) -> bool: ...

    def serve(self, request: "DirectRequest") -> None:
        """Call its `answer`, now or later; 408 where it is not whole."""


class DirectRequest:
    """One PUT of a device with all of its body.  To uvicorn's protocol it is the cycle of its connection."""

    __slots__ = (
        "_protocol", "began", "body", "disconnected", "headers", "is_whole", "keep_alive", "path", "peer",
        "response_complete", "running_out",
    )  # fmt: skip

    def __init__(self, protocol: "DirectProtocol", path: str, headers: Mapping[bytes, bytes]) -> None:
        self._protocol: DirectProtocol | None = protocol
        self.path = path
        self.headers = headers  # by their names in small letters, none of which came twice
        self.body = b""
        self.is_whole = False  # also in the end, if its body took too long
        self.peer = protocol.client[0] if protocol.client else None
        self.keep_alive = protocol.parser.get_http_version() != "1.0" and protocol.parser.should_keep_alive()
        self.began = time.perf_counter()
        self.response_complete = False
        self.disconnected = False
        self.running_out: asyncio.TimerHandle | None = None

    @property
    def message_event(self) -> "DirectRequest":
        return self

    def set(self) -> None:
        """Nobody waits for its messages."""

    def answer(self, status: int, body: bytes = b"", content_type: str = "", headers: Headers = ()) -> None:
        """Once; who is gone is passed over."""
        self.response_complete = True
        # its connection knows it until the next one comes
        protocol, self._protocol, self.body, self.headers = self._protocol, None, b"", {}
        if protocol is None or self.disconnected or protocol.transport.is_closing():
            return
        given, is_last = _rendered(protocol.server_state)
        head = b"%b%bcontent-length: %d\r\n" % (STATUS_LINE[status], given, len(body))
        if content_type:
            head += b"content-type: %b\r\n" % content_type.encode("ascii")
        for pair in headers:
            head += b"%b: %b\r\n" % pair
        if not (self.keep_alive or is_last):
            head += b"connection: close\r\n"
        protocol.transport.write(b"%b\r\n%b" % (head, body))
        if is_last or not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()


class DirectProtocol(ImpatientProtocol):
    app: Any  # uvicorn's word for it, and an Application
    cycle: Any  # of either way; None before the first request
    _incoming: DirectRequest | None = None
    _has_served = False  # of what has come at once; others wait, and let others in

    def data_received(self, data: bytes) -> None:
        self._has_served = False
        super().data_received(data)
        request = self._incoming
        if request is not None and request.running_out is None:
            request.running_out = self.loop.call_later(BODY_SECONDS, self._too_slow, request)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._incoming is not None:
            self._ended(self._incoming)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """What ASGI needs besides is made where ASGI is needed."""
        self._head_begins()
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        self._unset_keepalive_if_required()  # an answer to what came before it, in the same piece, has set it
        path = PATHS.get(self.url)
        headers = None if path is None else self._plain_headers()
        if path is None or headers is None:
            given = self.url, self.expect_100_continue, self.headers
            super().on_message_begin()
            self.url, self.expect_100_continue = given[:2]
            self.headers += given[2]
            super().on_headers_complete()
            return
        self._done()
        self._incoming = DirectRequest(self, path, headers)
        self.cycle = self._incoming

    def on_body(self, body: bytes) -> None:
        if self._incoming is None:
            super().on_body(body)
        else:
            self._incoming.body += body

    def on_message_complete(self) -> None:
        if self._incoming is None:
            super().on_message_complete()
        else:
            self._has_served = self._incoming.is_whole = True
            self.app.serve(self._ended(self._incoming))

    def _plain_headers(self) -> Mapping[bytes, bytes] | None:
        headers = dict(self.headers)
        length = headers.get(b"content-length", b"")
        is_plain = (
            self.parser.get_method() == b"PUT"
            and len(length) <= LONGEST_LENGTH
            and length.isdigit()
            and int(length) <= LARGEST_BODY
            and len(headers) == len(self.headers)
            and not self.expect_100_continue
            and not self._has_served
            and (self.cycle is None or self.cycle.response_complete)
            and not self.flow.write_paused
            and not self.parser.should_upgrade()
            and self.app.takes_directly
        )
        return headers if is_plain else None

    def _ended(self, request: DirectRequest) -> DirectRequest:
        """Nothing more of it comes."""
        self._incoming = None
        if request.running_out is not None:
            request.running_out.cancel()
        return request

    def _too_slow(self, request: DirectRequest) -> None:
        request.keep_alive = False
        self.app.serve(self._ended(request))


class _Rendered:
    """The headers of each answer, of which uvicorn makes a new list each second."""

    headers: Sequence[tuple[bytes, bytes]] = ()
    lines = b""
    is_last = False


def _rendered(state: ServerState) -> tuple[bytes, bool]:
    """And whether they end the connection."""
    if _Rendered.headers is not state.default_headers:
        _Rendered.headers = state.default_headers
        _Rendered.lines = b"".join(b"%b: %b\r\n" % pair for pair in state.default_headers)
        _Rendered.is_last = (b"connection", b"close") in state.default_headers
    return _Rendered.lines, _Rendered.is_last
