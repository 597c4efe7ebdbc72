"""What libpq is told, and what it says."""

import asyncio
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg import errors

from epmm import pipeline
from epmm.pipeline import Failure, Line
from tests.ports import free_port


@pytest.fixture
def line(transactional_db: None) -> Iterator[psycopg.Connection[Any]]:
    with pipeline.connect(pipeline.conninfo_of(connection.settings_dict, seconds=5)) as line:
        yield line


@pytest.mark.service("postgresql")
@pytest.mark.parametrize(
    ("state", "kind", "is_of_server"),
    [
        ("08006", errors.ConnectionFailure, True),
        ("08P01", errors.ProtocolViolation, True),
        ("25006", errors.ReadOnlySqlTransaction, True),
        ("57P01", errors.AdminShutdown, True),
        ("57P02", errors.CrashShutdown, True),
        ("57P03", errors.CannotConnectNow, True),
        ("57014", errors.QueryCanceled, False),
        ("55P03", errors.LockNotAvailable, False),
        ("40P01", errors.DeadlockDetected, False),
        ("25P02", errors.InFailedSqlTransaction, False),
        ("53E42", psycopg.OperationalError, False),  # psycopg knows its class alone
    ],
)
def test_what_failed_is_the_statement_or_the_server(
    line: psycopg.Connection[Any], *, state: str, kind: type[psycopg.Error], is_of_server: bool
) -> None:
    failing = f"DO $$ BEGIN RAISE 'why' USING ERRCODE = '{state}', DETAIL = 'what was in the row'; END $$"
    line.pgconn.send_query_params(b"SELECT", None)
    line.pgconn.send_query_params(failing.encode(), None)

    assert list(map(Failure.of, pipeline.results(line.pgconn, 5))) == [None, Failure(kind, "why", is_of_server)]


def test_settings_of_django_become_those_of_libpq() -> None:
    database = {"NAME": "epmm", "USER": "u", "PASSWORD": "p w", "HOST": "db", "PORT": 5433}
    options = {"sslmode": "verify-full", "pool": True}
    found = psycopg.conninfo.conninfo_to_dict(pipeline.conninfo_of({**database, "OPTIONS": options}, seconds=5))

    assert (found["dbname"], found["port"]) == ("epmm", "5433")
    assert (found["sslmode"], found["password"]) == ("verify-full", "p w")
    assert "pool" not in found


def test_a_server_that_is_not_there_is_asked_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """And whoever comes between two attempts hears so at once."""
    attempts: list[float] = []
    connect = pipeline.connect
    now = 0.0

    def noting_connect(conninfo: str) -> psycopg.Connection[Any]:
        attempts.append(now)
        return connect(conninfo)

    async def refused(line: Line) -> bool:
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        line.run(lambda _: None, answer.set_result)
        return isinstance(await answer, psycopg.OperationalError)

    async def played() -> None:
        nonlocal now
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now)
        line = Line(f"host=127.0.0.1 port={free_port()}", seconds=5, greet=lambda _: None)
        for number, pause in enumerate([0.1, 0.2, 0.4, 0.8, 1.6, 2, 2], 1):
            assert await refused(line)
            now += 0.9 * pause
            assert await refused(line)
            assert len(attempts) == number
            now += 0.2 * pause

    monkeypatch.setattr(pipeline, "connect", noting_connect)
    asyncio.run(played())


@pytest.mark.service("postgresql")
def test_after_a_connection_the_pauses_begin_anew(transactional_db: None) -> None:
    async def played() -> None:
        line = Line(pipeline.conninfo_of(connection.settings_dict, seconds=5), seconds=5, greet=lambda _: None)
        line._pause = pipeline.LONGEST_PAUSE
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        line.run(lambda pgconn: pgconn.send_query_params(b"SELECT", None), answer.set_result)
        came = await answer
        line.close()
        assert (isinstance(came, list), line._pause) == (True, 0)

    asyncio.run(played())
