"""On SQLite: which devices hold a text, by a full-text table of trigrams that triggers keep.

PostgreSQL has an index for it (migration 0011).  A migration that makes the table of devices anew would lose the
triggers, so whether they are there is looked at after all migrations.  Without the table, which SQLite may not be built
for, the search answers the same, and takes longer.
"""

import logging
from typing import Any, Final

from django.db import OperationalError, connections

from devices.search.few import counted

logger = logging.getLogger(__name__)
SHORTEST: Final = 3  # characters
# Of more devices a page is full sooner by looking through all in their order.
FEW_IN_ORDER: Final = 1_000
_TABLE: Final = "device_search_text"
_TRIGGERS: Final = {
    "device_search_text_added": """
        AFTER INSERT ON devices_device BEGIN
            INSERT INTO device_search_text (rowid, search_text) VALUES (new.id, new.search_text);
        END""",
    "device_search_text_changed": """
        AFTER UPDATE OF search_text ON devices_device WHEN old.search_text IS NOT new.search_text BEGIN
            INSERT INTO device_search_text (device_search_text, rowid, search_text)
            VALUES ('delete', old.id, old.search_text);
            INSERT INTO device_search_text (rowid, search_text) VALUES (new.id, new.search_text);
        END""",
    "device_search_text_removed": """
        AFTER DELETE ON devices_device BEGIN
            INSERT INTO device_search_text (device_search_text, rowid, search_text)
            VALUES ('delete', old.id, old.search_text);
        END""",
}
_MADE: Final = """
    CREATE VIRTUAL TABLE device_search_text USING
    fts5(search_text, content='devices_device', content_rowid='id', tokenize='trigram case_sensitive 1')"""
_FILLED: Final = "INSERT INTO device_search_text (device_search_text) VALUES ('rebuild')"
FOUND: Final = "SELECT rowid FROM device_search_text WHERE device_search_text MATCH %s"
_is_there: Final[dict[str, bool]] = {}  # by the name of the database


def keep(*, using: str, **_signal: Any) -> None:
    """After migrations: with its triggers, or not at all."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return
    _is_there.clear()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pragma_table_info('devices_device') WHERE name = 'search_text'")
        has_column = cursor.fetchone() is not None
        names = _names(cursor)
        if has_column and names >= {_TABLE, *_TRIGGERS}:
            return
        for name in names & _TRIGGERS.keys():
            cursor.execute(f"DROP TRIGGER {name}")
        cursor.execute("DROP TABLE IF EXISTS device_search_text")
        if not has_column:
            return
        try:
            cursor.execute(_MADE)
        except OperationalError as error:
            logger.warning("the search has no index: this SQLite makes no table of trigrams (%s)", error)
            return
        for name, body in _TRIGGERS.items():
            cursor.execute(f"CREATE TRIGGER {name} {body}")
        cursor.execute(_FILLED)


def phrase_of_few(connection: Any, text: str, most: int) -> str | None:
    """What FOUND is asked with, where at most so many devices hold the text."""
    if len(text) < SHORTEST or "\0" in text or not _has_table(connection):
        return None
    phrase = '"' + text.replace('"', '""') + '"'
    return phrase if counted(connection, FOUND, [phrase]) <= most else None


def _has_table(connection: Any) -> bool:
    name = str(connection.settings_dict["NAME"])
    if name not in _is_there:
        with connection.cursor() as cursor:
            _is_there[name] = _names(cursor) >= {_TABLE, *_TRIGGERS}
    return _is_there[name]


def _names(cursor: Any) -> set[str]:
    cursor.execute("SELECT name FROM sqlite_master WHERE name LIKE 'device_search_text%%'", [])
    return {name for (name,) in cursor.fetchall()}
