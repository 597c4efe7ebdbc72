"""What SQLite knows of the tables, without which it enters them by whatever index comes first.

PostgreSQL's own maintenance sees to that.
"""

from typing import Final

from django.db import connection

# Rows of each index that are looked at: enough to tell a rare value from a common one, and done in no time.
LOOKED_AT: Final = 1_000


def renew() -> None:
    if connection.vendor != "sqlite":
        return
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA analysis_limit = {LOOKED_AT}")
        cursor.execute("ANALYZE")
