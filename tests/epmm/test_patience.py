import asyncio
import contextlib
import resource
import socket
from collections.abc import Callable
from typing import Any

import pytest
import uvicorn

from epmm import gateway, patience
from epmm.asgi_http import Receive, Scope, Send, respond
from tests.ports import free_port


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/too-large":
        return await respond(send, 413, b"", "", ())
    while (await receive()).get("more_body"):
        pass
    return await respond(send, 200, b"", "", ())


async def closed_after(port: int, *said: bytes, within: float = 30) -> bytes:
    """What the server had to say by the time it closed the line."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in said:
        writer.write(piece)
    try:
        return await asyncio.wait_for(reader.read(), within)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def served(story: Callable[[int], Any], **options: Any) -> Any:
    async def run() -> Any:
        port = free_port()
        server = uvicorn.Server(gateway.configuration(answer, lifespan="off", loop="asyncio", **options))
        server.config.setup_event_loop = lambda: None  # type: ignore[method-assign] # the test brings its own
        with socket.create_server(("127.0.0.1", port)) as listening:
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
                await asyncio.sleep(0.01)
            try:
                return await story(port)
            finally:
                server.should_exit = True
                await serving

    return asyncio.run(run())


@pytest.mark.parametrize("said", [(), (b"PUT /mdm/connect HTTP/1.1\r\nHost: x\r\nX-Never-End",)])
def test_who_does_not_get_to_the_point_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, said: tuple[bytes, ...]) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 0.2)

    assert served(lambda port: closed_after(port, *said)) == b""


def test_a_line_that_was_used_is_as_impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 1)
    good, begun = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HTTP/1.1\r\nHo"

    told = served(lambda port: closed_after(port, good, begun))
    assert told.startswith(b"HTTP/1.1 200")
    assert told.count(b"HTTP/1.1") == 1


def test_line_ends_between_two_requests_keep_no_line_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 1)

    async def story(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"\r\n")
        try:
            return await asyncio.wait_for(reader.read(), 30)
        finally:
            writer.close()

    assert served(story, timeout_keep_alive=60) == b""


def test_a_request_that_has_its_headers_has_all_the_time_of_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_SECONDS", 1)
    good = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"

    async def story(port: int) -> bytes:
        with pytest.raises(TimeoutError):
            await closed_after(port, good, within=2)
        return b"still open"

    assert served(story, timeout_keep_alive=60) == b"still open"


def test_headers_without_end_are_refused() -> None:
    endless = [b"GET / HTTP/1.1\r\nHost: x\r\n", *[b"X-More: %s\r\n" % (b"x" * 60_000)] * 10]

    assert served(lambda port: closed_after(port, *endless)).startswith(b"HTTP/1.1 431 ")


def test_a_large_body_in_the_first_piece_is_none_of_the_headers() -> None:
    whole = b"PUT / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3000000\r\n\r\n" + bytes(3_000_000)

    assert served(lambda port: closed_after(port, whole)).startswith(b"HTTP/1.1 200 ")


def test_what_is_left_of_a_body_that_has_its_answer_is_none_of_the_headers() -> None:
    async def story(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"PUT /too-large HTTP/1.1\r\nHost: x\r\nContent-Length: 3000000\r\n\r\n")
        said = await reader.readuntil(b"\r\n\r\n")
        for _ in range(30):
            writer.write(bytes(100_000))
            await writer.drain()
            await asyncio.sleep(0.001)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        try:
            return said + await asyncio.wait_for(reader.read(), 30)
        finally:
            writer.close()

    told = served(story, timeout_keep_alive=60)
    assert [line.split()[1] for line in told.split(b"\r\n") if line.startswith(b"HTTP/1.1")] == [b"413", b"200"]


def test_descriptors_are_taken_as_far_as_they_are_given() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        patience.allow_descriptors()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
