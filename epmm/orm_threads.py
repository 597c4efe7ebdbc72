"""Threads in which Django's ORM may be used, and how their database connections end."""

import threading
from concurrent.futures import Executor
from contextlib import suppress
from typing import Final

from django.db import connections

CLOSING_SECONDS: Final = 10


def close_connections(threads: Executor, count: int) -> None:
    """Each of the `count` threads closes its own: nobody else may.  Those that wait for each other are all of them."""
    together = threading.Barrier(count)

    def close() -> None:
        together.wait(CLOSING_SECONDS)
        connections.close_all()

    with suppress(threading.BrokenBarrierError):  # one of them still waits for the database
        for closing in [threads.submit(close) for _ in range(count)]:
            closing.result()
