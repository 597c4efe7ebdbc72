"""Threads in which Django's ORM may be used, and how their database connections end."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, Final, ParamSpec, TypeVar

from django.db import InternalError, close_old_connections, connection, connections

from epmm import failover
from epmm.batching import StoreUnavailable
from epmm.gates import Overloaded

P = ParamSpec("P")
T = TypeVar("T")

CLOSING_SECONDS: Final = 10
# A few transactions that stand still, and hold what others wait for, would hold all the threads.  PostgreSQL ends the
# wait, and Django raises OperationalError.  In the transaction, for with a pooler the next one of the connection may be
# somebody else's.
LOCK_SECONDS: Final = 5
STATEMENT_SECONDS: Final = 15
_IDLE: Final = 0  # psycopg's TransactionStatus, which SQLite does without
_BOUNDS: Final = "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)"


class OrmThreads:
    """`count` of them; `most` calls are under way at once, whether or not anybody still waits for them."""

    def __init__(self, count: int, *, most: int, seconds: float, name: str) -> None:
        self._count = count
        self._free = most
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(count, thread_name_prefix=name, initializer=_bound)

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
        if not failover.is_away(error):
            raise
        raise StoreUnavailable(str(error).partition("\n")[0]) from error
    finally:
        close_old_connections()


def _bound() -> None:
    """The connection of this thread, each time it is opened."""
    if connection.vendor == "postgresql":
        connection.execute_wrappers.append(_bounded)


def _bounded(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 -- Django's
    """Before the first statement of each transaction."""
    own = context["connection"]
    if own.in_atomic_block and own.connection.pgconn.transaction_status == _IDLE:
        with own.wrap_database_errors:
            own.connection.execute(_BOUNDS, [f"{LOCK_SECONDS}s", f"{STATEMENT_SECONDS}s"])
    return execute(sql, params, many, context)
