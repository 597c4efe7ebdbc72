import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier
from typing import TypeVar

import pytest
from django.db import InternalError, OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from epmm import orm_threads
from epmm.batching import StoreUnavailable
from epmm.models import SettingRow
from epmm.orm_threads import OrmThreads, close_connections

THREADS = 3
T = TypeVar("T")


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
        threads = OrmThreads(1, most=1, seconds=60, name="test")
        await threads.run(become_read_only)
        with pytest.raises(StoreUnavailable, match="read-only"):
            await threads.run(write)
        await threads.run(write)
        await threads.close()

    asyncio.run(asked())
    assert SettingRow.objects.count() == 1


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_was_idle_for_too_long_is_begun_again() -> None:
    """The process stood still, or the database's clock jumped."""

    def write() -> None:
        with transaction.atomic():
            SettingRow.objects.create(name="a", value="b")
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 10")
            time.sleep(0.5)
            SettingRow.objects.create(name="b", value="b")

    async def asked() -> None:
        threads = OrmThreads(1, most=1, seconds=30, name="test")
        with pytest.raises(StoreUnavailable, match="idle-in-transaction"):
            await threads.run(write)
        assert await threads.run(SettingRow.objects.count) == 0
        await threads.close()

    asyncio.run(asked())


def test_another_fault_of_the_database_is_told_as_it_is() -> None:
    def fail() -> None:
        raise InternalError("why")

    async def asked() -> None:
        threads = OrmThreads(1, most=1, seconds=60, name="test")
        with pytest.raises(InternalError, match="why"):
            await threads.run(fail)
        await threads.close()

    asyncio.run(asked())


def run_in_turn(*calls: Callable[[], T]) -> list[T]:
    """In one thread, and so on one connection."""

    async def asked() -> list[T]:
        threads = OrmThreads(1, most=1, seconds=30, name="test")
        try:
            return [await threads.run(call) for call in calls]
        finally:
            await threads.close()

    return asyncio.run(asked())


def bounds() -> tuple[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        lock, statement = cursor.fetchone()
    return lock, statement


def bounds_after_a_savepoint() -> tuple[str, str]:
    with suppress(KeyError), transaction.atomic():
        bounds()
        raise KeyError
    return bounds()


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_a_transaction_has_bounds_and_leaves_none_behind() -> None:
    """A pooler gives the connection to somebody else."""
    within = transaction.atomic(bounds), transaction.atomic(bounds_after_a_savepoint)

    assert run_in_turn(*within, bounds) == [("5s", "15s"), ("5s", "15s"), ("0", "0")]


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_what_waits_for_a_lock_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    row = SettingRow.objects.create(name="a", value="b")
    monkeypatch.setattr(orm_threads, "LOCK_SECONDS", 0.1)

    with transaction.atomic():
        SettingRow.objects.select_for_update().get()
        with pytest.raises(OperationalError, match="lock timeout"):
            run_in_turn(transaction.atomic(row.save))
