"""No expression keeps the database busy for longer than people wait."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import OperationalError, connection, transaction
from django.db.backends.utils import CursorWrapper

SECONDS: Final = 10
QUERY_CANCELED: Final = "57014"  # PostgreSQL's code
STEPS: Final = 20_000  # of SQLite's virtual machine between two looks at the clock


class SearchTooSlow(Exception):
    """The expression matches what no index leads to, in too many rows."""


@contextmanager
def limited(seconds: float = SECONDS) -> Iterator[None]:
    run = _on_postgresql if connection.vendor == "postgresql" else _on_sqlite
    with run(seconds):
        yield


@contextmanager
def _on_postgresql(seconds: float) -> Iterator[None]:
    is_nested = connection.in_atomic_block
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            before = _timeout(cursor) if is_nested else ""  # else the end of the transaction takes it back
            _set_timeout(cursor, f"{seconds * 1000:.0f}")
            yield
            if is_nested:
                _set_timeout(cursor, before)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == QUERY_CANCELED:
            raise SearchTooSlow from error
        raise


def _timeout(cursor: CursorWrapper) -> str:
    cursor.execute("SHOW statement_timeout")
    return str(cursor.fetchone()[0])


def _set_timeout(cursor: CursorWrapper, value: str) -> None:
    cursor.execute("SELECT set_config('statement_timeout', %s, true)", [value])


@contextmanager
def _on_sqlite(seconds: float) -> Iterator[None]:
    connection.ensure_connection()
    deadline = time.monotonic() + seconds
    raw = connection.connection
    raw.set_progress_handler(lambda: time.monotonic() > deadline, STEPS)
    try:
        yield
    except OperationalError as error:
        if time.monotonic() > deadline and "interrupted" in str(error):
            raise SearchTooSlow from error
        raise
    finally:
        raw.set_progress_handler(None, 0)
