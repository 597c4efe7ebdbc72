"""Several readings of one state of the database, while others go on writing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction


@contextmanager
def one_snapshot() -> Iterator[None]:
    """Inside a transaction, which is what it is, nothing changes."""
    if connection.in_atomic_block:
        yield
        return
    with _that_locks_nobody_out(connection), transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@contextmanager
def _that_locks_nobody_out(connection: Any) -> Iterator[None]:
    """On SQLite a transaction of ours begins as one that writes: see `transaction_mode` in epmm/settings.py."""
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()  # which sets the mode
    mode, connection.transaction_mode = connection.transaction_mode, None
    try:
        yield
    finally:
        connection.transaction_mode = mode
