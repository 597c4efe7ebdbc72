"""How long a connection may keep silent, and how many there may be."""

import asyncio
import resource
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS: Final = 30.0
LINGER_SECONDS: Final = 0.5
LARGEST_HEAD: Final = 128 << 10  # bytes that come before a request has all its headers; 32 KiB are promised
MOST_DESCRIPTORS: Final = 65_536


class ImpatientProtocol(HttpToolsProtocol):
    """Ends a connection whose request does not get to the end of its headers.

    uvicorn waits for them for ever, so that a few thousand silent connections would be all there can be.
    """

    _running_out: asyncio.TimerHandle | None = None
    _is_in_head = False
    _head = 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._begin()

    def connection_lost(self, exc: Exception | None) -> None:
        self._done()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head > LARGEST_HEAD:
            return  # refused already
        before = self._running_out
        super().data_received(data)
        if not self._is_in_head:
            is_at_rest = getattr(self.cycle, "response_complete", False)  # none before the first request
            if is_at_rest and self.timeout_keep_alive_task is None and self._running_out is None:
                # Line ends between two requests, or what is left of a body that was answered before its end: both end
                # uvicorn's own patience.
                self._running_out = self.loop.call_later(HEAD_SECONDS, self.transport.close)
            return
        # What begins in this piece may be all of a head and much of its body: only a head that goes on is counted.
        if before is None or self._running_out is not before:
            self._begin()
            return
        self._head += len(data)
        if self._head > LARGEST_HEAD:
            self.transport.write(b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n")
            self.loop.call_later(LINGER_SECONDS, self.transport.close)  # at once, the answer would be lost

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_begins()

    def on_headers_complete(self) -> None:
        self._done()
        super().on_headers_complete()

    def _head_begins(self) -> None:
        self._done()  # with what ran for whatever came before it
        self._is_in_head = True

    def _begin(self) -> None:
        """Time runs for what has not come in one piece: nearly every head has."""
        self._done()
        self._is_in_head = True
        self._head = 0
        self._running_out = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _done(self) -> None:
        self._is_in_head = False
        if self._running_out is not None:
            self._running_out.cancel()
            self._running_out = None


def allow_descriptors() -> None:
    """As many as the system lets us have; the usual soft limit of 1,024 is one connection each."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
