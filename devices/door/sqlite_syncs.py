"""Declarative management on SQLite: what `postgresql_syncs.py` does, step by step."""

import sqlite3
from datetime import UTC, datetime
from typing import Any, Final

from devices.door.sqlite import CHANNEL, SqliteStore, moment, who
from devices.door.sync import LEFT, NOBODYS, REPORTED, Endpoint, Sync, Synced
from devices.models.declaration import HELD_UP, OFFER_STANDS
from devices.models.status_report import MOST_UNREAD
from devices.protocol.declarative.manifest import read_items

OWN: Final = """
SELECT token, changed_at, served_token, iif(offered_token <> '' AND offered_at > :offers_stand, offered_token, token),
    coalesce(items_served_at BETWEEN :came_at AND :by_then, false)
FROM devices_declarationset WHERE channel_id = :channel
"""
OFFER: Final = """
UPDATE devices_declarationset
SET heard_at = :now, offered_at = :now, offered_token = iif(token = served_token, '', token)
WHERE channel_id = :channel
"""
ITEMS: Final = "SELECT items FROM devices_manifest WHERE token = :token"
SERVE: Final = """
UPDATE devices_declarationset
SET heard_at = :now, served_token = :token, items_served_at = :now, offered_token = '' WHERE channel_id = :channel
"""
DECLARATION: Final = "SELECT body FROM devices_declarationcontent WHERE server_token = :token"
UNREAD: Final = "SELECT count(*) FROM devices_statusreport WHERE channel_id = :channel AND NOT is_read"
HEARD: Final = "UPDATE devices_declarationset SET heard_at = :now WHERE channel_id = :channel"
REPORT: Final = """
INSERT INTO devices_statusreport (channel_id, body, received_at, came_at, is_read)
VALUES (:channel, :body, :now, :came_at, false)
"""
STATEMENTS: Final = (OWN, OFFER, ITEMS, SERVE, DECLARATION, UNREAD, HEARD, REPORT)


class SqliteSyncs(SqliteStore[Sync, Synced]):
    @staticmethod
    def _answer(connection: sqlite3.Connection, sync: Sync, /) -> Synced:
        now = datetime.now(UTC)
        values = who(sync, now) | {
            "idle": False,
            "body": sync.body,
            "came_at": moment(sync.came_at),
            "by_then": moment(min(now, sync.came_at + HELD_UP)),
            "offers_stand": moment(now - OFFER_STANDS),
        }
        found = connection.execute(CHANNEL, values).fetchone()
        if found is None:
            return NOBODYS
        values["channel"], _ = found
        own = connection.execute(OWN, values).fetchone()
        return LEFT if own is None else _answer(connection, sync, values, own)


def _answer(connection: sqlite3.Connection, sync: Sync, values: dict[str, Any], own: tuple[Any, ...]) -> Synced:
    token, changed_at, served, due, is_late = own
    match sync.endpoint:
        case Endpoint.TOKENS if token:
            connection.execute(OFFER, values)
            return Synced(token=token, changed_at=datetime.fromisoformat(changed_at).replace(tzinfo=UTC))
        case Endpoint.ITEMS if is_late and (items := _only(connection, ITEMS, served)):
            return Synced(token=served, items=items)
        case Endpoint.ITEMS if items := _only(connection, ITEMS, due):
            connection.execute(SERVE, values | {"token": due})
            return Synced(token=due, items=items)
        case Endpoint.DECLARATION if items := _only(connection, ITEMS, served):
            for item in read_items(items):
                is_it = (item.kind, item.identifier) == (sync.kind, sync.identifier)
                if is_it and (body := _only(connection, DECLARATION, item.server_token)):
                    return Synced(declaration=body)
        case Endpoint.STATUS if connection.execute(UNREAD, values).fetchone()[0] < MOST_UNREAD:
            connection.execute(HEARD, values)
            connection.execute(REPORT, values)
            return REPORTED
    return LEFT


def _only(connection: sqlite3.Connection, statement: str, token: str) -> Any:
    """The one value of the one row; None where there is none."""
    row = connection.execute(statement, {"token": token}).fetchone()
    return None if row is None else row[0]
