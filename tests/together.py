"""Things that happen at the same moment.  Threads share no transaction: mark the test `django_db(transaction=True)`."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def together(*works: Callable[[], T]) -> list[T | Exception]:
    """Do all of it at once, each on a connection of its own; return what each returned or raised, in order."""
    start = threading.Barrier(len(works))

    def do(work: Callable[[], T]) -> T | Exception:
        start.wait(timeout=30)
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(do, works))
