"""A network that can be made bad: slow, silent, broken off in the middle of what it passes on."""

import asyncio
import random
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from bench.site import HERE

_PIECE: Final = 1 << 16
Address = tuple[str, int]


class BadNetwork:
    """From one port to several servers, as a proxy that balances.  Its behaviour may be changed from any thread."""

    def __init__(self, servers: Sequence[Address], chance: random.Random) -> None:
        self._servers, self._chance = servers, chance
        self.delay = 0.0  # seconds for each piece
        self.is_silent = False
        self.breaks = 0.0  # how likely a piece is the last one of its connection
        self.broken = 0
        self._socket = socket.create_server((HERE, 0), backlog=2048)
        self.port: int = self._socket.getsockname()[1]
        self._open: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._serve, sock=self._socket)

    async def close(self) -> None:
        self._server.close()
        self._break_all()

    def break_all(self) -> None:
        """Every connection at once, from outside."""
        self._loop.call_soon_threadsafe(self._break_all)

    def _break_all(self) -> None:
        self.broken += len(self._open) // 2
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, there = await asyncio.open_connection(*self._chance.choice(self._servers))
        except OSError:
            writer.transport.abort()
            return
        both = {writer, there}
        self._open |= both
        try:
            await asyncio.gather(self._pass_on(reader, there, both), self._pass_on(back, writer, both))
        finally:
            self._open -= both
            for each in both:
                each.close()

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, both: set[asyncio.StreamWriter]
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                await self._endure()
                if self.breaks and self._chance.random() < self.breaks:
                    writer.write(piece[: self._chance.randrange(len(piece) + 1)])
                    await asyncio.sleep(0)
                    self.broken += 1
                    for each in both:
                        each.transport.abort()
                    return
                writer.write(piece)
                await writer.drain()
        with suppress(OSError, RuntimeError):
            writer.close()

    async def _endure(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        while self.is_silent:  # noqa: ASYNC110 -- it is set in another thread
            await asyncio.sleep(0.05)


@contextmanager
def opened(*networks: BadNetwork) -> Iterator[None]:
    """In a thread of their own, which ends with the block."""
    loop = asyncio.new_event_loop()
    for network in networks:
        loop.run_until_complete(network.open())
    thread = threading.Thread(target=loop.run_forever, name="network", daemon=True)
    thread.start()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_end(networks), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(networks: Sequence[BadNetwork]) -> None:
    for network in networks:
        await network.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.sleep(0)  # what was closed is let go of in the next turn
