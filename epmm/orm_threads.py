"""Threads in which Django's ORM may be used, and how their database connections end."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Final, ParamSpec, TypeVar

from django.db import InternalError, close_old_connections, connections

from epmm import failover
from epmm.batching import StoreUnavailable
from epmm.gates import Overloaded

P = ParamSpec("P")
T = TypeVar("T")

CLOSING_SECONDS: Final = 10


class OrmThreads:
    """`count` of them; `most` calls are under way at once, whether or not anybody still waits for them."""

    def __init__(self, count: int, *, most: int, seconds: float, name: str) -> None:
        self._count = count
        self._free = most
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=name)

    async def run(self, call: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        if not self._free:
            raise Overloaded
        self._free -= 1
        loop, context = asyncio.get_running_loop(), copy_context()
        fresh = partial(_with_fresh_connections, call, *arguments, **keywords)
        work = self._threads.submit(lambda: context.run(fresh))
        work.add_done_callback(lambda _: loop.call_soon_threadsafe(self._done))
        async with asyncio.timeout(self._seconds):
            return await asyncio.wrap_future(work)

    async def close(self) -> None:
        """What was begun ends here."""
        await asyncio.to_thread(close_connections, self._threads, self._count)
        await asyncio.to_thread(self._threads.shutdown)

    def _done(self) -> None:
        self._free += 1


def close_connections(threads: Executor, count: int) -> None:
    """Each of the `count` threads closes its own: nobody else may.  Those that wait for each other are all of them."""
    together = threading.Barrier(count)

    def close() -> None:
        together.wait(CLOSING_SECONDS)
        connections.close_all()

    with suppress(threading.BrokenBarrierError):  # one of them still waits for the database
        for closing in [threads.submit(close) for _ in range(count)]:
            closing.result()


def _with_fresh_connections(call: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
    close_old_connections()
    try:
        return call(*arguments, **keywords)
    except InternalError as error:
        if not failover.is_read_only(error):
            raise
        raise StoreUnavailable("the database became read-only") from error
    finally:
        close_old_connections()
