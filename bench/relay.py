"""Between a server and its database: passes everything on, and counts how often the server waits for an answer."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

from bench.site import HERE

_PIECE: Final = 1 << 16


class Relay:
    """A round trip begins when the server speaks again after the database has."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = parts.hostname or HERE, parts.port or 5432
        self._parts = parts
        self.round_trips = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, HERE, 0)

    async def close(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        account = f"{self._parts.netloc.rpartition('@')[0]}@" if "@" in self._parts.netloc else ""
        return self._parts._replace(netloc=f"{account}{HERE}:{port}").geturl()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, there = await asyncio.open_connection(*self._to)
        turn = _Turn(self)
        with suppress(OSError):
            await asyncio.gather(_pass_on(reader, there, turn.asks), _pass_on(back, writer, turn.answers))


class _Turn:
    """Whose turn it is on one connection."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._is_asking = False

    def asks(self) -> None:
        self._relay.round_trips += not self._is_asking
        self._is_asking = True

    def answers(self) -> None:
        self._is_asking = False


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: Callable[[], None]) -> None:
    try:
        while piece := await reader.read(_PIECE):
            heard()
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


@contextmanager
def opened(url: str) -> Iterator[Relay]:
    """In a thread of its own, which ends with the block."""
    relay, loop = Relay(url), asyncio.new_event_loop()
    loop.run_until_complete(relay.open())
    thread = threading.Thread(target=loop.run_forever, name="relay")
    thread.start()
    try:
        yield relay
    finally:
        asyncio.run_coroutine_threadsafe(relay.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
