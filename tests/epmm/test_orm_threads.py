import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import InternalError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from epmm.batching import StoreUnavailable
from epmm.models import SettingRow
from epmm.orm_threads import OrmThreads, close_connections

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


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_a_database_that_became_read_only_is_left() -> None:
    """After a failover: Django would keep the connection, for it answers."""

    def become_read_only() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = on")

    def write() -> None:
        SettingRow.objects.create(name="a", value="b")

    async def asked() -> None:
        threads = OrmThreads(1, most=1, seconds=5, name="test")
        await threads.run(become_read_only)
        with pytest.raises(StoreUnavailable, match="read-only"):
            await threads.run(write)
        await threads.run(write)
        await threads.close()

    asyncio.run(asked())
    assert SettingRow.objects.count() == 1


def test_another_fault_of_the_database_is_told_as_it_is() -> None:
    def fail() -> None:
        raise InternalError("why")

    async def asked() -> None:
        threads = OrmThreads(1, most=1, seconds=5, name="test")
        with pytest.raises(InternalError, match="why"):
            await threads.run(fail)
        await threads.close()

    asyncio.run(asked())
