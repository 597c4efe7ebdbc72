"""The short way to the device door, on a real port: which requests take it, and that it is HTTP all the same."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest

from epmm import direct, gateway
from epmm.asgi_http import Receive, Scope, Send, respond
from epmm.direct import LARGEST_BODY, DirectRequest
from tests.ports import free_port

SECONDS = 10
BY_ASGI = b"HTTP/1.1 202 "


class Recorder:
    """Answers at once, or when it is told to; by ASGI with 202."""

    def __init__(self, *, is_patient: bool = False) -> None:
        self.takes_directly = True
        self.is_patient = is_patient
        self.seconds_by_asgi = 0.0
        self.served: list[DirectRequest] = []
        self.headers: list[Mapping[bytes, bytes]] = []

    def serve(self, request: DirectRequest) -> None:
        self.served.append(request)
        self.headers.append(request.headers)
        if not self.is_patient:
            request.answer(200 if request.is_whole else 408, request.body, "text/plain", ((b"x-more", b"1"),))

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive()).get("more_body"):
            if message["type"] == "http.disconnect":
                return
        await asyncio.sleep(self.seconds_by_asgi)
        await respond(send, 202)

    async def has(self, count: int) -> None:
        async with asyncio.timeout(SECONDS):
            while len(self.served) < count:  # noqa: ASYNC110 -- what is served is told nobody
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def serving(recorder: Recorder, **options: float) -> AsyncIterator[tuple[int, gateway.Draining]]:
    port = free_port()
    server = gateway.Draining(gateway.configuration(recorder, lifespan="off", **options))
    with socket.create_server(("127.0.0.1", port)) as listening:
        task = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
            await asyncio.sleep(0.01)
        try:
            yield port, server
        finally:
            server.should_exit = True
            await task


@contextlib.asynccontextmanager
async def line(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def run(story: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "LINGER_SECONDS", 0.01)
    asyncio.run(story())  # type: ignore[arg-type] # a coroutine


def put(body: bytes = b"", *more: bytes, path: bytes = b"/mdm/connect", version: bytes = b"1.1") -> bytes:
    lines = [b"PUT %b HTTP/%b" % (path, version), b"Host: x", b"Content-Length: %d" % len(body), *more]
    return b"\r\n".join([*lines, b"", body])


async def answer_of(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Its head and its body."""
    async with asyncio.timeout(SECONDS):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return head, await reader.readexactly(length)


@pytest.mark.parametrize("path", [b"/mdm/connect", b"/mdm/checkin"])
def test_small_requests_share_a_connection(monkeypatch: pytest.MonkeyPatch, path: bytes) -> None:
    async def story() -> None:
        recorder = Recorder()
        async with serving(recorder) as (port, _), line(port) as (reader, writer):
            for body in (b"first", b"", b"third"):
                writer.write(put(body, b"Client-Cert: :YQ==:", path=path))
                head, back = await answer_of(reader)
                assert back == body
                assert head.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
                assert b"\r\ncontent-type: text/plain\r\nx-more: 1\r\n\r\n" in head
        assert [each.path for each in recorder.served] == [path.decode()] * 3
        assert recorder.headers[0][b"client-cert"] == b":YQ==:"
        assert recorder.served[0].peer == "127.0.0.1"

    run(story, monkeypatch)


def test_it_may_come_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        recorder = Recorder()
        async with serving(recorder) as (port, _), line(port) as (reader, writer):
            said = put(b"x" * LARGEST_BODY)
            for piece in (said[:30], said[30:90], said[90:200], said[200:]):
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.02)
            assert (await answer_of(reader))[1] == b"x" * LARGEST_BODY
        assert len(recorder.served) == 1

    run(story, monkeypatch)


@pytest.mark.parametrize(
    "said",
    [
        put(b"x" * (LARGEST_BODY + 1)),
        put(b"x", b"Content-Type: a", b"Content-Type: b"),
        put(path=b"/mdm/connect?x=1"),
        put(path=b"/mdm/%63onnect"),
        put(path=b"/mdm/other"),
        put().replace(b"PUT", b"POST"),
        b"PUT /mdm/connect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        b"PUT /mdm/connect HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
    ids=["large", "a header twice", "query", "escaped", "elsewhere", "method", "chunked", "no length"],
)
def test_what_is_large_or_unusual_goes_by_asgi(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    async def story() -> None:
        recorder = Recorder()
        async with serving(recorder) as (port, _), line(port) as (reader, writer):
            writer.write(said)
            assert (await answer_of(reader))[0].startswith(BY_ASGI)
            writer.write(put(b"and again"))
            assert (await answer_of(reader))[1] == b"and again"

    run(story, monkeypatch)


def test_who_expects_to_be_asked_for_the_body_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        async with serving(Recorder()) as (port, _), line(port) as (reader, writer):
            writer.write(put(b"x", b"Expect: 100-continue")[:-1])
            async with asyncio.timeout(SECONDS):
                assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            writer.write(b"x")
            assert (await answer_of(reader))[0].startswith(BY_ASGI)

    run(story, monkeypatch)


def test_before_the_door_is_open_all_goes_by_asgi(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        recorder = Recorder()
        recorder.takes_directly = False
        async with serving(recorder) as (port, _), line(port) as (reader, writer):
            writer.write(put())
            assert (await answer_of(reader))[0].startswith(BY_ASGI)

    run(story, monkeypatch)


def test_what_is_sent_ahead_is_answered_in_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        recorder = Recorder(is_patient=True)
        async with serving(recorder) as (port, _), line(port) as (reader, writer):
            writer.write(put(b"first") + put(b"second", b"X-Second: 1") + put(b"third"))
            await recorder.has(1)
            await asyncio.sleep(0.05)
            recorder.served[0].answer(200, b"to the first")

            assert (await answer_of(reader))[1] == b"to the first"
            assert [(await answer_of(reader))[0][: len(BY_ASGI)] for _ in range(2)] == [BY_ASGI] * 2
            recorder.is_patient = False
            writer.write(put(b"fourth"))
            assert (await answer_of(reader))[1] == b"fourth"

    run(story, monkeypatch)


def test_of_what_is_sent_at_once_one_is_served_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or a stranger who sends thousands would keep all others waiting; and each is answered, also after a while."""

    async def story() -> None:
        recorder = Recorder()
        async with serving(recorder, timeout_keep_alive=1) as (port, _), line(port) as (reader, writer):
            recorder.seconds_by_asgi = 1.2
            writer.write(put(b"first") + put(b"second"))
            assert (await answer_of(reader))[1] == b"first"
            assert (await answer_of(reader))[0].startswith(BY_ASGI)
            assert len(recorder.served) == 1

    run(story, monkeypatch)


def test_nothing_of_a_request_is_kept_when_it_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        recorder = Recorder()
        async with serving(recorder) as (port, _), line(port) as (reader, writer):
            writer.write(put(b"x" * 1000))
            await answer_of(reader)
            assert (recorder.served[0].body, recorder.served[0].headers) == (b"", {})

    run(story, monkeypatch)


def test_a_body_that_does_not_come_is_waited_for_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "BODY_SECONDS", 0.1)

    async def story() -> None:
        recorder = Recorder()
        async with serving(recorder) as (port, _), line(port) as (reader, writer):
            writer.write(put(b"whole")[:-1])
            async with asyncio.timeout(SECONDS):
                said = await reader.read()
            assert said.startswith(b"HTTP/1.1 408 ")
            assert b"\r\nconnection: close\r\n" in said
        assert [each.is_whole for each in recorder.served] == [False]

    run(story, monkeypatch)


@pytest.mark.parametrize(
    "said",
    [
        put(b"x", version=b"1.0"),
        put(b"x", b"Connection: keep-alive", version=b"1.0"),
        put(b"x", b"Connection: close"),
    ],
)
def test_who_wants_one_answer_gets_one(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    async def story() -> None:
        async with serving(Recorder()) as (port, _), line(port) as (reader, writer):
            writer.write(said)
            async with asyncio.timeout(SECONDS):
                back = await reader.read()
            assert back.startswith(b"HTTP/1.1 200 ")
            assert b"\r\nconnection: close\r\n" in back

    run(story, monkeypatch)


def test_who_hangs_up_is_answered_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        recorder = Recorder(is_patient=True)
        async with serving(recorder) as (port, _):
            async with line(port) as (_, writer):
                writer.write(put(b"x"))
                await recorder.has(1)
            async with line(port) as (_, writer):
                writer.write(put(b"whole")[:-1])
                await asyncio.sleep(0.05)
            async with asyncio.timeout(SECONDS):
                while not recorder.served[0].disconnected:  # noqa: ASYNC110 -- it is told nobody
                    await asyncio.sleep(0.01)
            recorder.served[0].answer(200)
        assert len(recorder.served) == 1

    run(story, monkeypatch)


def test_what_was_begun_is_answered_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        recorder = Recorder(is_patient=True)
        async with serving(recorder) as (port, server), line(port) as (reader, writer):
            writer.write(put(b"x"))
            await recorder.has(1)
            server.should_exit = True
            async with asyncio.timeout(SECONDS):
                while (b"connection", b"close") not in server.server_state.default_headers:  # noqa: ASYNC110 -- as above
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)
            recorder.served[0].answer(200, b"done")
            async with asyncio.timeout(SECONDS):
                said = await reader.read()
            assert said.endswith(b"\r\n\r\ndone")
            assert said.count(b"connection: close") == 1

    run(story, monkeypatch)
