"""PostgreSQL's trigram index, which the migration makes where it may; without it the search reads every device."""

from typing import Final

from django.db import connection

EXTENSION: Final = "CREATE EXTENSION pg_trgm"
INDEX: Final = "CREATE INDEX CONCURRENTLY device_search_text ON devices_device USING gin (search_text gin_trgm_ops)"
_STATE: Final = """
    SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_trgm'),
    EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('device_search_text') AND indisvalid)
"""


def missing() -> list[str]:
    """What has still to be said to the database, by whoever may; the first needs its superuser."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(_STATE)
        has_extension, has_index = cursor.fetchone()
    return ([] if has_extension else [EXTENSION]) + ([] if has_index else [INDEX])
