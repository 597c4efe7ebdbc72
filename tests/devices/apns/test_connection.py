"""One connection, byte by byte: the far side is an h2 server in the same thread, the network a list."""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, PingReceived, RequestReceived, StreamEnded
from h2.events import StreamReset as Reset
from h2.settings import SettingCodes, Settings
from hpack import NeverIndexedHeaderTuple
from hyperframe.frame import GoAwayFrame

from devices.apns.connection import Connection, Limits
from devices.apns.ending import End
from devices.apns.request import Batch, Request
from devices.protocol.push import Verdict
from tests.devices.apns.laboratory import pushes, until

LIMITS = Limits(streams=1000, request_seconds=30, idle_seconds=3600)
HASTY = Limits(request_seconds=0.08, idle_seconds=0.1)


class Line(asyncio.Transport):
    """What the connection writes goes to the server at once."""

    def __init__(self, server: H2Connection) -> None:
        super().__init__()
        self.server = server
        self.heard: list[Event] = []
        self.unread = 0
        self.closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.heard += self.server.receive_data(bytes(data))

    def get_write_buffer_size(self) -> int:
        return self.unread

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True

    abort = close


class Wire:
    def __init__(
        self, count: int, limits: Limits = LIMITS, *, early: bool = True, magic: str = "", **settings: int
    ) -> None:
        self.server = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        values = {SettingCodes[name.upper()]: value for name, value in settings.items()}
        self.server.local_settings = Settings(client=False, initial_values=values)
        self.line = Line(self.server)
        self.batch = Batch([replace(each, magic=magic or each.magic) for each in pushes(count)])
        self.waiting = deque(self.batch.requests)
        self.orphans: list[tuple[list[Request], End]] = []
        self.connection = Connection(authority=b"localhost", waiting=self.waiting, limits=limits, orphaned=self._note)
        self.connection.connection_made(self.line)
        if early:
            self.connection.pull()

    def _note(self, _: Connection, requests: Sequence[Request], end: End) -> None:
        self.orphans.append((list(requests), end))

    async def turn(self) -> None:
        """The loop comes round, and the server's bytes arrive."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.deliver(self.server.data_to_send())
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def deliver(self, data: bytes) -> None:
        if data:
            self.connection.data_received(data)

    async def greet(self) -> None:
        self.server.initiate_connection()
        await self.turn()

    def answer(self, stream: int, status: int = 200, body: bytes = b"") -> None:
        self.server.send_headers(stream, [(":status", str(status))], end_stream=not body)
        if body:
            self.server.send_data(stream, body, end_stream=True)

    def streams(self) -> list[int]:
        return [event.stream_id for event in self.line.heard if isinstance(event, RequestReceived)]

    def finished(self) -> list[int]:
        return [event.stream_id or 0 for event in self.line.heard if isinstance(event, StreamEnded)]

    def bodies(self) -> bytes:
        return b"".join(event.data for event in self.line.heard if isinstance(event, DataReceived))

    def kinds(self) -> list[Verdict | None]:
        return [request.outcome.kind if request.outcome else None for request in self.batch.requests]

    def orphaned(self) -> list[int]:
        return [request.push.apns_id.int for requests, _ in self.orphans for request in requests]


def play(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 20))


def test_one_stream_until_the_server_says_how_many() -> None:
    async def story() -> None:
        wire = Wire(9, max_concurrent_streams=4)
        await wire.turn()
        assert wire.streams() == [1]
        await wire.greet()
        assert wire.streams() == [1, 3, 5, 7]
        wire.answer(3)
        await wire.turn()
        assert wire.streams() == [1, 3, 5, 7, 9]
        wire.server.update_settings({SettingCodes.MAX_CONCURRENT_STREAMS: 1})
        wire.answer(1)
        await wire.turn()
        assert len(wire.streams()) == 5

    play(story)


def test_tokens_stay_out_of_the_tables_and_the_server_has_nothing_to_push() -> None:
    async def story() -> None:
        wire = Wire(1)
        await wire.greet()
        (asked,) = [event for event in wire.line.heard if isinstance(event, RequestReceived)]
        never = {str(header[0]) for header in asked.headers if isinstance(header, NeverIndexedHeaderTuple)}
        assert never == {":path", "apns-id"}
        assert wire.server.remote_settings.enable_push == 0

    play(story)


def test_a_server_without_a_limit_gets_ours() -> None:
    async def story() -> None:
        wire = Wire(9, Limits(streams=6), initial_window_size=65535)
        await wire.greet()
        assert len(wire.streams()) == 6

    play(story)


@pytest.mark.parametrize("window", [0, 1, 10])
def test_a_body_waits_for_the_window_of_its_stream(window: int) -> None:
    async def story() -> None:
        wire = Wire(2, early=False, max_concurrent_streams=100, initial_window_size=window)
        await wire.greet()
        assert wire.streams() == [1]
        assert wire.bodies() == b'{"mdm":"magic-1"}'[:window]
        assert wire.finished() == []

        wire.server.increment_flow_control_window(3, 1)
        await wire.turn()
        assert wire.bodies() == b'{"mdm":"magic-1"}'[: window + 3]
        assert wire.streams() == [1]

        wire.server.increment_flow_control_window(100, 1)
        await wire.turn()
        assert wire.bodies().startswith(b'{"mdm":"magic-1"}')
        assert wire.finished() == [1]
        assert wire.streams() == [1, 3]

    play(story)


def test_the_window_of_the_connection_is_kept() -> None:
    """65535 bytes at first: what does not fit waits, and h2 on the far side would not forgive a byte more."""

    async def story() -> None:
        wire = Wire(40, magic="x" * 4000, max_concurrent_streams=100)
        await wire.greet()
        assert len(wire.bodies()) == 65535
        assert len(wire.finished()) == 16
        for finished in (32, 40):
            wire.server.increment_flow_control_window(65535)
            await wire.turn()
            assert len(wire.finished()) == finished
        assert len(wire.bodies()) == 40 * 4010

    play(story)


def test_an_answer_before_the_end_of_the_body_is_an_answer() -> None:
    async def story() -> None:
        wire = Wire(2, early=False, max_concurrent_streams=100, initial_window_size=0)
        await wire.greet()
        wire.answer(1, 400, b'{"reason":"PayloadEmpty"}')
        await wire.turn()
        assert wire.kinds() == [Verdict.OUR_FAULT, None]
        assert [event.stream_id for event in wire.line.heard if isinstance(event, Reset)] == [1]
        assert wire.streams() == [1, 3]

    play(story)


def goaway(last: int, error: int = 0, data: bytes = b"") -> bytes:
    return GoAwayFrame(0, last_stream_id=last, error_code=error, additional_data=data).serialize()


def test_after_a_goaway_what_came_before_is_still_answered() -> None:
    async def story() -> None:
        wire = Wire(9, max_concurrent_streams=4)
        await wire.greet()
        wire.answer(1)
        wire.deliver(wire.server.data_to_send() + goaway(5))
        assert wire.orphaned() == [4]
        assert wire.kinds()[0] is Verdict.ACCEPTED
        assert not wire.connection.usable

        wire.answer(3, 410, b'{"reason":"Unregistered"}')
        await wire.turn()
        assert wire.kinds()[:2] == [Verdict.ACCEPTED, Verdict.UNREGISTERED]
        assert not wire.line.closing
        wire.answer(5)
        await wire.turn()
        assert wire.line.closing
        assert wire.kinds()[:4] == [Verdict.ACCEPTED, Verdict.UNREGISTERED, Verdict.ACCEPTED, None]
        assert len(wire.waiting) == 5

    play(story)


@pytest.mark.parametrize(("error", "orderly"), [(0, True), (11, False)])
def test_a_goaway_in_anger_is_not_answered_by_coming_back_at_once(error: int, orderly: bool) -> None:  # noqa: FBT001
    async def story() -> None:
        wire = Wire(1)
        await wire.greet()
        wire.deliver(goaway(0, error, b'{"reason":"Shutdown"}'))
        assert wire.orphans[-1][1] == End(reason="Shutdown", orderly=orderly)

    play(story)


def test_a_dead_line_gives_everything_back() -> None:
    async def story() -> None:
        wire = Wire(5, HASTY, early=False, max_concurrent_streams=3)  # the three are as old as the last word heard
        await wire.greet()
        await until(lambda: wire.line.closing)
        assert wire.orphaned() == [1, 2, 3]
        assert wire.orphans[-1][1].reason == "timeout"
        assert wire.kinds() == [None] * 5

    play(story)


def test_an_idle_connection_is_tried_with_a_ping_and_kept() -> None:
    async def story() -> None:
        wire = Wire(1, replace(HASTY, request_seconds=3))  # ample for a pong
        await wire.greet()
        wire.answer(1)
        while sum(isinstance(event, PingReceived) for event in wire.line.heard) < 2:
            await wire.turn()
            await asyncio.sleep(0.02)
        assert wire.connection.usable

    play(story)


def test_an_idle_connection_that_answers_no_ping_is_given_up() -> None:
    async def story() -> None:
        wire = Wire(0, HASTY)  # a request would have to be answered as soon as a ping
        await wire.greet()
        await until(lambda: wire.line.closing)
        assert wire.orphans[-1] == ([], End(reason="timeout"))

    play(story)


# a server that means harm


def test_an_endless_answer_is_cut_off() -> None:
    async def story() -> None:
        wire = Wire(2, max_concurrent_streams=1)
        await wire.greet()
        wire.server.send_headers(1, [(":status", "410")])
        wire.server.send_data(1, b"x" * 5000)
        await wire.turn()
        assert wire.kinds() == [Verdict.UNREGISTERED, None]
        assert [event.stream_id for event in wire.line.heard if isinstance(event, Reset)] == [1]
        assert wire.streams() == [1, 3]

    play(story)


def test_a_server_that_makes_us_write_and_reads_nothing_is_left() -> None:
    async def story() -> None:
        wire = Wire(1)
        await wire.greet()
        wire.line.unread = 1 << 21
        wire.server.ping(b"12345678")
        await wire.turn()
        assert wire.line.closing
        assert wire.orphaned() == [1]

    play(story)


def test_a_slow_line_gets_no_more_until_it_is_free() -> None:
    async def story() -> None:
        wire = Wire(9, max_concurrent_streams=9)
        wire.connection.pause_writing()
        await wire.greet()
        assert wire.streams() == [1]
        wire.connection.resume_writing()
        await wire.turn()
        assert len(wire.streams()) == 9

    play(story)


@pytest.mark.parametrize(
    "data",
    [
        b"\x00\x40\x01\x00\x00\x00\x00\x00\x01" + bytes(16385),  # longer than any frame may be
        b"\x00\x00\x04\x01\x05\x00\x00\x00\x01\xff\xff\xff\xff",  # headers that no table holds
        b"\x00\x00\x06\x05\x04\x00\x00\x00\x01\x00\x00\x00\x02\x88\x88",  # a pushed stream
        b"\x00\x00\x01\x00\x00\x00\x00\x00\x09x",  # data on a stream that was never opened
    ],
)
def test_what_is_not_http_2_ends_the_connection(data: bytes) -> None:
    async def story() -> None:
        wire = Wire(1)
        await wire.greet()
        wire.deliver(data)
        assert wire.line.closing
        assert wire.orphaned() == [1]
        assert wire.orphans[-1][1].reason == "not HTTP/2"

    play(story)


def test_whatever_arrives_no_push_is_lost() -> None:
    """Settled or given back, and never an exception of another kind."""

    async def story() -> None:
        chance = random.Random(6)  # the same every time
        for _ in range(300):
            wire = Wire(3, max_concurrent_streams=9)
            await wire.greet()
            wire.answer(1)
            wire.answer(3, 410, b'{"reason":"Unregistered"}')
            for piece in mangled(wire.server.data_to_send(), chance):
                wire.deliver(piece)
            wire.connection.connection_lost(None)
            unsettled = {request.push.apns_id.int for request in wire.batch.requests if request.outcome is None}
            assert unsettled == {*wire.orphaned(), *(request.push.apns_id.int for request in wire.waiting)}

    play(story)


def mangled(data: bytes, chance: random.Random) -> Iterable[bytes]:
    damaged = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    cut = chance.randrange(len(damaged))
    yield bytes(damaged[:cut])
    yield bytes(damaged[cut:])
