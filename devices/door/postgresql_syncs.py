"""Declarative management on PostgreSQL: one statement for all devices that ask at the same time."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from psycopg import pq

from devices.door.postgresql import CHANNEL, NOW, WHO, PostgresStore, places, statement, who
from devices.door.sync import EPOCH, LEFT, NOBODYS, Endpoint, Sync, Synced
from devices.models.declaration import HELD_UP, OFFER_STANDS
from devices.models.status_report import MOST_UNREAD
from epmm.pipeline import Statement

MICROSECOND: Final = timedelta(microseconds=1)
ASKED: Final = {"endpoint": "smallint", "kind": "text", "identifier": "text", "body": "bytea", "came_at": "bigint"}
_CAME_AT: Final = "to_timestamp(channel.came_at / 1e6)"
# A set that somebody is at work on is left to the handlers, who wait for it: here all others would wait, too.
# Manifests and declarations stand under the hash of what they say, and what was served last is read as it stands.
# Whose request for the manifest came a little before that was last served has not seen it, and is served the same.  The
# clock is read when the row is held: a statement may have begun before that of the other, and found what it left.
_SET: Final = f"""
    SELECT channel.*, own.token, own.changed_at, own.served_token, own.offered_token, own.offered_at,
        coalesce(
            own.items_served_at BETWEEN {_CAME_AT}
                AND least(clock_timestamp(), {_CAME_AT} + interval '{HELD_UP.total_seconds()} seconds'),
            false
        ) AS is_late
    FROM channel JOIN devices_declarationset AS own ON own.channel_id = channel.id
"""  # noqa: S608 -- the numbers of our own models, here and below
_OWN: Final = f""", held AS (
    {_SET} WHERE channel.endpoint <> {Endpoint.DECLARATION} FOR NO KEY UPDATE OF own SKIP LOCKED
), own AS (
    SELECT each.*, CASE each.endpoint
        WHEN {Endpoint.DECLARATION} THEN each.served_token
        WHEN {Endpoint.ITEMS} THEN CASE
            WHEN is_late THEN each.served_token
            WHEN offered_token <> '' AND offered_at > {NOW} - interval '{OFFER_STANDS.total_seconds()} seconds'
            THEN offered_token ELSE each.token END
        END AS listed
    FROM (SELECT * FROM held UNION ALL {_SET} WHERE channel.endpoint = {Endpoint.DECLARATION}) AS each
), known AS (
    SELECT own.*, manifest.items, declaration.body AS declaration
    FROM own LEFT JOIN devices_manifest AS manifest ON manifest.token = own.listed LEFT JOIN LATERAL (
        SELECT content.body FROM jsonb_array_elements(manifest.items) AS item
        JOIN devices_declarationcontent AS content ON content.server_token = item ->> 2
        WHERE own.endpoint = {Endpoint.DECLARATION} AND item ->> 0 = own.kind AND item ->> 1 = own.identifier
    ) AS declaration ON true
    WHERE CASE own.endpoint
        WHEN {Endpoint.TOKENS} THEN own.token <> ''
        WHEN {Endpoint.ITEMS} THEN manifest.items IS NOT NULL
        WHEN {Endpoint.DECLARATION} THEN declaration.body IS NOT NULL
        WHEN {Endpoint.STATUS} THEN {MOST_UNREAD} > (
            SELECT count(*) FROM (
                SELECT FROM devices_statusreport WHERE channel_id = own.id AND NOT is_read LIMIT {MOST_UNREAD}
            ) AS unread
        ) END
), heard AS (
    UPDATE devices_declarationset AS own SET
        heard_at = {NOW},
        offered_at = CASE known.endpoint WHEN {Endpoint.TOKENS} THEN {NOW} ELSE own.offered_at END,
        offered_token = CASE known.endpoint
            WHEN {Endpoint.TOKENS} THEN CASE WHEN known.token = known.served_token THEN '' ELSE known.token END
            WHEN {Endpoint.ITEMS} THEN CASE WHEN is_late THEN own.offered_token ELSE '' END
            ELSE own.offered_token END,
        served_token = CASE known.endpoint WHEN {Endpoint.ITEMS} THEN known.listed ELSE own.served_token END,
        items_served_at = CASE WHEN known.endpoint = {Endpoint.ITEMS} AND NOT is_late
            THEN clock_timestamp() ELSE own.items_served_at END
    FROM known WHERE own.channel_id = known.id AND known.endpoint <> {Endpoint.DECLARATION}
), reported AS (
    INSERT INTO devices_statusreport (channel_id, body, received_at, came_at, is_read)
    SELECT known.id, known.body, {NOW}, to_timestamp(known.came_at / 1e6), false
    FROM known WHERE known.endpoint = {Endpoint.STATUS}
)
SELECT channel.place, CASE known.endpoint WHEN {Endpoint.ITEMS} THEN listed ELSE token END,
    floor(extract(epoch FROM changed_at))::bigint, CASE known.endpoint WHEN {Endpoint.ITEMS} THEN items::text END,
    declaration
FROM channel LEFT JOIN known ON known.place = channel.place
"""  # noqa: S608 -- the numbers of our own enumerations
SYNC: Final = statement(
    WHO | ASKED, CHANNEL, _OWN, idle_at="channel.idle_at", reported=", ".join(f"asked.{column}" for column in ASKED)
)


class PostgresSyncs(PostgresStore[Sync, Synced]):
    columns = WHO | ASKED

    def _statements(self) -> Iterable[tuple[Statement, int]]:
        return [(SYNC, len(self.columns))]

    def _asked(self, questions: Sequence[Sync], /) -> tuple[Statement, Sequence[Sequence[bytes | None]]]:
        return SYNC, [
            *who(questions),
            [sync.endpoint.to_bytes(2) for sync in questions],
            [sync.kind.encode() for sync in questions],
            [sync.identifier.encode() for sync in questions],
            [sync.body for sync in questions],
            [((sync.came_at - EPOCH) // MICROSECOND).to_bytes(8) for sync in questions],
        ]

    def _answered(self, count: int, result: pq.abc.PGresult, /) -> list[Synced]:
        answers = [NOBODYS] * count
        for place, (token, changed_at, items, declaration) in places(result):
            answers[place] = LEFT
            if token is not None:
                answers[place] = Synced(
                    token=token.decode(),
                    changed_at=datetime.fromtimestamp(int.from_bytes(changed_at or b""), UTC),
                    items=(items or b"").decode(),
                    declaration=declaration or b"",
                )
        return answers
