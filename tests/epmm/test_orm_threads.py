from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from epmm.orm_threads import close_connections

THREADS = 3


@pytest.mark.django_db(transaction=True)
def test_every_thread_closes_its_own_connection() -> None:
    together = Barrier(THREADS)

    def ask() -> BaseDatabaseWrapper:
        together.wait(10)
        connection.ensure_connection()
        return connections["default"]

    with ThreadPoolExecutor(THREADS) as threads:
        used = [asked.result() for asked in [threads.submit(ask) for _ in range(THREADS)]]
        assert all(each.connection is not None for each in used)

        close_connections(threads, THREADS)
        assert len(set(map(id, used))) == THREADS
        assert not [each for each in used if each.connection is not None]
