"""A name that one transaction holds until it ends.  SQLite has one writer at a time, who holds them all."""

import hashlib

from django.db import connection


def hold(name: str) -> None:
    """Wait for whoever holds it."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_number(name)])


def try_to_hold(name: str) -> bool:
    """False where somebody else does."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_number(name)])
        return bool(cursor.fetchone()[0])


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
