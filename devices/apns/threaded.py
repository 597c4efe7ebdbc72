"""For code that knows no event loop: one thread with one, and in it one connection for each push certificate."""

import asyncio
import atexit
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Final

from devices.apns.client import CALL_SECONDS, ApnsClient, Server
from devices.apns.connection import Limits
from devices.apns.identity import PushIdentity
from devices.protocol.push import Outcome, Push

MOST_CLIENTS: Final = 4  # a renewed certificate leaves its predecessor behind
_CLOSING_SECONDS: Final = 5.0


class PushThread:
    """`push` may be called from any thread, and from many at once."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._clients: OrderedDict[tuple[PushIdentity, Server], ApnsClient] = OrderedDict()  # last used at the end
        self._at_work: dict[asyncio.Task[list[Outcome]], ApnsClient] = {}
        self._calls: set[Future[list[Outcome]]] = set()
        self._thread = threading.Thread(target=self._run, name="apns", daemon=True)
        self._thread.start()

    def push(
        self,
        pushes: Sequence[Push],
        *,
        identity: PushIdentity,
        server: Server | None = None,
        limits: Limits | None = None,
        seconds: float = CALL_SECONDS,
    ) -> list[Outcome]:
        work = self._push(pushes, (identity, server or Server()), limits, seconds)
        call = asyncio.run_coroutine_threadsafe(work, self._loop)
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return call.result()

    def close(self) -> None:
        """Calls that still wait get an outcome that says to try later."""
        if self._thread.is_alive():
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_CLOSING_SECONDS)
            wait(list(self._calls), _CLOSING_SECONDS)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSING_SECONDS)

    def _run(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _push(
        self, pushes: Sequence[Push], key: tuple[PushIdentity, Server], limits: Limits | None, seconds: float
    ) -> list[Outcome]:
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = ApnsClient(*key, limits)
        self._clients.move_to_end(key)
        call = asyncio.ensure_future(client.push(pushes, seconds=seconds))
        self._at_work[call] = client
        try:
            return await call
        finally:
            del self._at_work[call]
            await self._close_oldest()

    async def _close_oldest(self) -> None:
        spare = max(0, len(self._clients) - MOST_CLIENTS)
        idle = [key for key, client in self._clients.items() if client not in self._at_work.values()]
        for client in [self._clients.pop(key) for key in idle[:spare]]:
            await client.close()

    async def _close(self) -> None:
        await asyncio.gather(*(client.close() for client in self._clients.values()))


_lock = threading.Lock()
_shared: PushThread | None = None


def push(
    pushes: Sequence[Push],
    *,
    identity: PushIdentity,
    server: Server | None = None,
    seconds: float = CALL_SECONDS,
) -> list[Outcome]:
    """The process's own thread, started when it is first needed."""
    return _of_this_process().push(pushes, identity=identity, server=server, seconds=seconds)


def shut_down() -> None:
    global _shared
    with _lock:
        shared, _shared = _shared, None
    if shared:
        shared.close()


def _of_this_process() -> PushThread:
    global _shared  # noqa: PLW0603 - as above
    with _lock:
        if _shared is None:
            _shared = PushThread()
        return _shared


def _forget() -> None:
    """In a child of fork: threads stay with the parent, and so does its connection."""
    global _lock, _shared
    _lock, _shared = threading.Lock(), None


atexit.register(shut_down)
os.register_at_fork(after_in_child=_forget)
