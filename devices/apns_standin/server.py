"""A pretend APNs: HTTP/2 over TLS only, as strict as Apple's, and able to misbehave."""

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Self
from uuid import uuid4

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, DataReceived, Event, RequestReceived, StreamEnded, StreamReset
from h2.exceptions import H2Error
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from devices.apns_standin.lab import topics_of
from devices.apns_standin.rules import LARGEST_BODY, Asked, find_fault
from devices.apns_standin.script import Answer, Script
from devices.apns_standin.tls import TlsServerProtocol

_GONE: Final = 410
_OK: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A request and what it was answered, for whoever watches."""

    asked: Asked = field(repr=False)
    answer: Answer


Watcher = Callable[[Seen], None]


class StandIn:
    def __init__(self, *, tls: ssl.SSLContext, script: Script | None = None, watcher: Watcher = lambda _: None) -> None:
        self.script = script or Script()
        self.connections: set[_Client] = set()
        self.connected = 0  # since the start
        self.farewells = 0
        self.watch = watcher
        self.tls = tls

    async def start(self, *, host: str = "127.0.0.1", port: int = 0) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Client(self), host, port)
        return self

    @property
    def port(self) -> int:
        number: int = self._server.sockets[0].getsockname()[1]
        return number

    async def serve(self) -> None:
        await self._server.serve_forever()

    async def close(self) -> None:
        self._server.close()
        while self.connections:
            for client in list(self.connections):
                client.cut()
            await asyncio.sleep(0)  # then asyncio tells each that its line is gone
        await self._server.wait_closed()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class _Http2(H2Connection):
    """h2 counts every open stream whenever one is opened; here the client's own number of them is believed."""

    def __init__(self, streams: int) -> None:
        super().__init__(H2Configuration(client_side=False, header_encoding="utf-8"))
        self.local_settings = Settings(client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: streams})
        self._opened = 0

    @property
    def open_inbound_streams(self) -> int:
        self._opened += 1
        return super().open_inbound_streams if self._opened % 64 == 0 else 0


class _Client(TlsServerProtocol):
    """One connection."""

    def __init__(self, house: StandIn) -> None:
        super().__init__(house.tls)
        self._house, self._script = house, house.script
        self._http = _Http2(self._script.first_streams)
        self._asking: dict[int, tuple[list[tuple[str, str]], bytearray]] = {}
        self._requests = 0
        self._welcome = self._leaving = False
        self._topics: Sequence[str] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._house.connections.add(self)

    def on_secured(self) -> None:
        self._house.connected += 1
        if certificate := self.peer():
            self._topics = topics_of(certificate)
        self._http.initiate_connection()
        self._say()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._house.connections.discard(self)

    def on_data(self, data: bytes) -> None:
        try:
            events = self._http.receive_data(data)
        except H2Error:  # for most of them h2 has prepared the GOAWAY that says so
            self._say()
            self.hang_up()
            return
        for event in events:
            self._hear(event)
        self._say()

    def _hear(self, event: Event) -> None:
        match event:
            case RequestReceived():
                headers = [(str(name), str(value)) for name, value in event.headers]
                self._asking[event.stream_id] = headers, bytearray()
            case DataReceived():
                self._http.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
                if (asking := self._asking.get(event.stream_id)) and len(asking[1]) <= LARGEST_BODY:
                    asking[1].extend(event.data)
            case StreamEnded():
                self._take(event.stream_id)
            case StreamReset():
                self._asking.pop(event.stream_id, None)
            case ConnectionTerminated():
                self._house.farewells += 1

    def _take(self, stream: int) -> None:
        if (asking := self._asking.pop(stream, None)) is None or self._leaving:
            return
        self._requests += 1
        if self._misbehaves(stream):
            return
        asked = Asked(headers=asking[0], body=bytes(asking[1]))
        answer = self._judge(asked)
        self._house.watch(Seen(asked=asked, answer=answer))
        if not answer.status:
            return
        if self._script.delay:
            asyncio.get_running_loop().call_later(self._script.delay, self._answer, stream, asked, answer, True)
        else:
            self._answer(stream, asked, answer)

    def _misbehaves(self, stream: int) -> bool:
        script = self._script
        if script.drop_after and self._requests > script.drop_after:
            self._say()
            self.hang_up()
        elif script.reset_every and self._requests % script.reset_every == 0:
            self._http.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
        else:
            if script.goaway_after and self._requests == script.goaway_after:
                self._leave(stream)
            return False
        return True

    def _judge(self, asked: Asked) -> Answer:
        if fault := find_fault(asked, topics=self._topics):
            return Answer(status=fault.status, reason=fault.reason)
        if not self._welcome:
            self._welcome = True
            self._http.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: self._script.streams})
        return self._script.answers.get(asked.token) or Answer()

    def _answer(self, stream: int, asked: Asked, answer: Answer, flush: bool = False) -> None:  # noqa: FBT001, FBT002
        headers = [(":status", str(answer.status)), ("apns-id", asked.fields.get("apns-id") or str(uuid4()).upper())]
        try:
            self._http.send_headers(stream, headers, end_stream=answer.status == _OK)
            if answer.status != _OK:
                self._http.send_data(stream, _body(answer), end_stream=True)
        except H2Error:  # the client has given up meanwhile
            return
        if flush:
            self._say()

    def _leave(self, last: int) -> None:
        """RFC 9113, 6.8: what came before is still answered, so h2, which would end here, is not told."""
        self._leaving = True
        reason = json.dumps({"reason": self._script.goaway_reason}).encode() if self._script.goaway_reason else b""
        self._say()
        self.send(GoAwayFrame(0, last_stream_id=last, additional_data=reason).serialize())

    def _say(self) -> None:
        if data := self._http.data_to_send():
            self.send(data)


def _body(answer: Answer) -> bytes:
    timestamp = answer.timestamp or (int(time.time() * 1000) if answer.status == _GONE else None)
    told = {"reason": answer.reason} | ({"timestamp": timestamp} if timestamp else {})
    return json.dumps(told).encode()
