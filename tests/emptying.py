"""How the database is emptied after a test that committed.

Django's `flush` empties every table and then makes content types and permissions anew, which takes longer than most
tests do.  Here only what holds rows is emptied, and what `migrate` would make again at once stays.
"""

from functools import cache
from typing import Final

from django.db import connection, transaction

STAY: Final = {"django_content_type", "auth_permission"}


@cache
def _tables() -> list[str]:
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    return [connection.ops.quote_name(name) for name in sorted({*names} - STAY)]


def empty() -> None:
    with connection.constraint_checks_disabled(), transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # as TRUNCATE would: whoever still writes is waited for
            cursor.execute(f"LOCK TABLE {', '.join(_tables())} IN SHARE ROW EXCLUSIVE MODE")
        for table in holding_rows():
            cursor.execute(f"DELETE FROM {table}")
    forget_statistics()


def holding_rows() -> list[str]:
    """Their names are quoted."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'EXISTS (SELECT 1 FROM {table})' for table in _tables())}")
        return [table for table, holds_rows in zip(_tables(), cursor.fetchone(), strict=True) if holds_rows]


def forget_statistics() -> None:
    """Of tables that are empty now: the planner would read the next rows whole.  PostgreSQL asks how large each is.

    What was counted in a transaction stays in SQLite's memory when that is rolled back.
    """
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE IF EXISTS sqlite_stat1")
            cursor.execute("ANALYZE sqlite_schema")  # reads what is left of them
