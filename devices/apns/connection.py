"""One connection to APNs: takes requests from the queue as long as the server allows more streams.

Whatever it cannot bring to an answer goes back to its owner, who decides about a second try.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import H2Error, NoAvailableStreamIDError
from hpack import NeverIndexedHeaderTuple

from devices.apns.ending import BROKEN, NOT_READING, REPLACED, RESET, SHUT_DOWN, TIMEOUT, End, read_failure
from devices.apns.http2 import PushHttp2
from devices.apns.request import Request
from devices.protocol.push import Verdict, body, headers, read_goaway

# Secret or never the same again: not for the compression table that both sides keep (RFC 7541, 7.1.3).
_NOT_KEPT: Final = frozenset({b":path", b"apns-id"})
_UNREAD_BYTES: Final = 1 << 20  # of ours, by a server that keeps us writing
_UNAVAILABLE: Final = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    streams: int = 1000
    request_seconds: float = 20.0
    connect_seconds: float = 10.0
    idle_seconds: float = 3600.0  # then a ping, as Apple advises
    backoff_seconds: float = 1.0


class Connection(asyncio.Protocol):
    def __init__(
        self,
        *,
        authority: bytes,
        waiting: deque[Request],
        limits: Limits,
        orphaned: Callable[["Connection", Sequence[Request], End], None],
    ) -> None:
        self.usable = True
        self.answered = 0
        self.end = SHUT_DOWN  # until it is known better
        self.closed = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._authority, self._waiting, self._limits, self._orphaned = authority, waiting, limits, orphaned
        self._open: dict[int, Request] = {}  # by stream, oldest first
        self._http = PushHttp2(self._open)
        self._most = 1  # as APNs allows before it has said how many
        self._partly_sent = 0  # the one stream whose body waits for the server's window
        self._paused = self._flushing = self._aborted = False
        self._heard = self._loop.time()
        self._sweeper: asyncio.TimerHandle | None = None
        self._pinger: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        return bool(self._open)

    # asyncio calls these

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("not a stream")
        self._transport = transport
        self._http.initiate_connection()
        self._flush_soon()
        self._pinger = self._loop.call_later(self._limits.idle_seconds, self._ping)

    def data_received(self, data: bytes) -> None:
        if self._transport.is_closing():
            return
        self._heard = self._loop.time()
        try:
            events = self._http.receive_data(data)
        except H2Error:
            self.abort(BROKEN)
            return
        for event in events:
            self._hear(event)
        self.pull()
        self._flush_soon()
        self._leave_when_done()

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self.pull()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._sweeper, self._pinger):
            if timer:
                timer.cancel()
        if not self._aborted:
            self._retire(read_failure(exc))
            self._give_back(list(self._open), self.end)
        self.closed.set_result(None)

    # its owner calls these

    def pull(self) -> None:
        """Open streams until one of the limits is reached: the server's, ours, or the speed of the line."""
        while self._waiting and self._has_room():
            request = self._waiting.popleft()
            if request.outcome is None:
                self._start(request)

    def abort(self, end: End) -> None:
        self._retire(end)
        self._aborted = True
        self._transport.abort()
        self._give_back(list(self._open), end)

    async def close(self) -> None:
        self._retire(SHUT_DOWN)
        with suppress(H2Error):
            self._http.close_connection()
        self._flush()
        self._transport.close()
        await self.closed

    # streams

    def _has_room(self) -> bool:
        return self.usable and not self._paused and not self._partly_sent and len(self._open) < self._most

    def _start(self, request: Request) -> None:
        try:
            stream = self._http.get_next_available_stream_id()
        except NoAvailableStreamIDError:
            self._waiting.appendleft(request)
            self._retire(REPLACED)
            self._give_back([], REPLACED)
            self._leave_when_done()
            return
        self._http.send_headers(stream, _marked(headers(request.push, self._authority)))
        self._open[stream] = request
        request.sent = self._loop.time()
        request.unsent = body(request.push)
        self._send_body(stream, request)
        self._flush_soon()
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._limits.request_seconds / 4, self._sweep)

    def _send_body(self, stream: int, request: Request) -> None:
        part = request.unsent[: max(0, self._http.local_flow_control_window(stream))]
        request.unsent = request.unsent[len(part) :]
        if part:
            self._http.send_data(stream, part, end_stream=not request.unsent)
        self._partly_sent = stream if request.unsent else 0

    def _forget(self, stream: int, *, reset: bool = False) -> Request | None:
        """Take the request off its stream.  A stream that is not at its end on both sides must be reset."""
        request = self._open.pop(stream, None)
        if stream == self._partly_sent:
            self._partly_sent, reset = 0, True
        if request and reset:
            with suppress(H2Error):  # closed by the server meanwhile
                self._http.reset_stream(stream, ErrorCodes.CANCEL)
        return request

    def _finish(self, stream: int, *, reset: bool = False) -> None:
        if (request := self._forget(stream, reset=reset)) is None:
            return
        self.answered += 1
        outcome = request.read()
        request.settle(outcome)
        if outcome.kind is Verdict.BAD_CERTIFICATE:
            self.abort(End(kind=outcome.kind, reason=outcome.reason))
        elif outcome.status == _UNAVAILABLE and self.usable:
            end = End(reason=outcome.reason)
            self._retire(end)
            self._give_back([], end)

    def _give_back(self, streams: Iterable[int], end: End) -> None:
        requests = [self._forget(stream) for stream in streams]
        self._orphaned(self, [request for request in requests if request], end)

    def _retire(self, end: End) -> None:
        """Take no more requests; those on their way may still be answered."""
        if self.usable:
            self.usable, self.end = False, end

    def _leave_when_done(self) -> None:
        if not self.usable and not self._open and not self._transport.is_closing():
            self._flush()
            self._transport.close()

    # what the server says

    def _hear(self, event: Event) -> None:
        match event:
            case ResponseReceived():
                self._on_response(event)
            case StreamEnded():
                self._finish(event.stream_id)
            case DataReceived():
                self._on_data(event)
            case WindowUpdated():
                self._on_window()
            case RemoteSettingsChanged():
                self._most = min(self._limits.streams, self._http.remote_settings.max_concurrent_streams)
                self._on_window()
            case StreamReset() if event.stream_id in self._open:
                self._give_back([event.stream_id], RESET)
            case ConnectionTerminated():
                self._on_goaway(event)

    def _on_window(self) -> None:
        if request := self._open.get(self._partly_sent):
            self._send_body(self._partly_sent, request)

    def _on_response(self, event: ResponseReceived) -> None:
        if request := self._open.get(event.stream_id):
            status = dict(event.headers).get(b":status", b"")
            request.status = int(status) if status.isdigit() else 0

    def _on_data(self, event: DataReceived) -> None:
        self._http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
        request = self._open.get(event.stream_id)
        if request and not request.hear(event.data):
            self._finish(event.stream_id, reset=True)

    def _on_goaway(self, event: ConnectionTerminated) -> None:
        kind, reason = read_goaway(event.additional_data or b"")
        end = End(kind=kind, reason=reason or "GOAWAY", orderly=event.error_code == ErrorCodes.NO_ERROR)
        if kind is Verdict.BAD_CERTIFICATE:
            self.abort(end)
            return
        self._retire(end)
        self._give_back([stream for stream in self._open if stream > (event.last_stream_id or 0)], end)

    # clocks

    def _sweep(self) -> None:
        """One timer for all streams: the oldest come first."""
        self._sweeper = None
        since = self._loop.time() - self._limits.request_seconds
        if self._open and self._heard <= since:
            self.abort(TIMEOUT)  # the line is dead; another one may answer
            return
        for stream in [stream for stream, request in self._open.items() if request.sent <= since]:
            if request := self._forget(stream, reset=True):
                request.put_off(TIMEOUT.reason)
        if self._open:
            self._sweeper = self._loop.call_later(self._limits.request_seconds / 4, self._sweep)
        self.pull()
        self._flush_soon()
        self._leave_when_done()

    def _ping(self) -> None:
        quiet = self._loop.time() - self._heard
        if quiet < self._limits.idle_seconds:
            self._pinger = self._loop.call_later(self._limits.idle_seconds - quiet, self._ping)
            return
        self._http.ping(b"EPMMidle")
        self._flush_soon()
        self._pinger = self._loop.call_later(self._limits.request_seconds, self._look_for_pong, self._heard)

    def _look_for_pong(self, heard: float) -> None:
        if self._heard > heard:
            self._ping()
        else:
            self.abort(TIMEOUT)

    # writing

    def _flush_soon(self) -> None:
        """What one turn of the loop has to say travels together."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._transport.is_closing():
            return
        if data := self._http.data_to_send():
            self._transport.write(data)
        if self._transport.get_write_buffer_size() > _UNREAD_BYTES:
            self.abort(NOT_READING)


def _marked(pairs: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [NeverIndexedHeaderTuple(*pair) if pair[0] in _NOT_KEPT else pair for pair in pairs]
