"""The store on PostgreSQL: one prepared statement a connect, a pipeline for each batch."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias
from uuid import UUID

import psycopg
from psycopg import errors, pq

from devices.door import store
from devices.door.store import NOT_FOUND, NOTHING_TO_DO, Exchange, Outcome
from devices.models import Command, Enrollment, Identity
from devices.models.command import MOVED
from devices.protocol.result import Status
from epmm import pipeline
from epmm.batching import BatchingStore, StoreUnavailable
from epmm.pipeline import Failure, Statement

SECONDS: Final = 5  # for a connection, for a statement, for a batch
LOCK_SECONDS: Final = 0.5  # one that waits for a lock makes its whole batch wait
_NOW: Final = "statement_timestamp()"  # now() is the same for a whole pipeline

# All parts see the tables as they were before, so `next` passes over the command that is being answered.  Before also
# means before we waited for the channel: what is locked or written is looked at again as it is now, so `next` locks, or
# it would offer what another gateway has taken the answer to meanwhile.
# What was put off waits for the channel's next Idle (protocol reference, 4.6), or the two would never stop.
# What lies ahead of the clock was written before it was put back: neither waits until it is that late again.
# A statement for each kind of connect: parts that have nothing to do still cost PostgreSQL a third of an Idle.
_CHANNEL: Final = f"""
WITH channel AS (
    UPDATE devices_channel AS channel SET last_seen_at = {_NOW}{{also}}
    FROM devices_identity AS identity JOIN devices_enrollment AS enrollment ON enrollment.id = identity.enrollment_id
    WHERE identity.sha256 = $1 AND identity.state = {Identity.State.CURRENT}
      AND (identity.not_after > {_NOW} OR {store.EXPIRED_GOES_ON})
      AND enrollment.state = {Enrollment.State.ACTIVE} AND enrollment.device_key = $2
      AND ($4 IS NULL OR enrollment.bearer_sha256 = $4
           AND (enrollment.bearer_lapses_at IS NULL OR enrollment.bearer_lapses_at > {_NOW}))
      AND channel.enrollment_id = enrollment.id AND channel.user_key = $3
    RETURNING channel.id, channel.idle_at
)"""  # noqa: S608 -- the names and numbers of our own models, here and below
_ANSWERED: Final = f""", answered AS (
    DELETE FROM devices_command AS command USING channel
    WHERE command.uuid = $5 AND command.channel_id = channel.id
    RETURNING {", ".join(f"command.{column}" for column in MOVED)}
), kept AS (
    INSERT INTO devices_result ({", ".join(MOVED)}, state, body, received_at)
    SELECT answered.*, $6, $7, {_NOW} FROM answered
)"""  # noqa: S608
_PUT_OFF: Final = f""", put_off AS (
    UPDATE devices_command AS command
    SET state = $6, not_now_at = {_NOW}, not_now_count = command.not_now_count + 1,
        push_at = {_NOW} + least({store.LONGEST_PAUSE}, {store.FIRST_PAUSE} * 2 ^ least(command.not_now_count, 10))
                  * interval '1 second'
    FROM channel
    WHERE command.uuid = $5 AND command.channel_id = channel.id AND command.state <> {Command.State.CANCELLED}
)"""  # noqa: S608
_NEXT: Final = f""", next AS (
    SELECT first.id, first.uuid, payload.rendered FROM channel CROSS JOIN LATERAL (
        SELECT command.id, command.uuid, command.payload_id FROM devices_command AS command
        WHERE command.channel_id = channel.id AND command.uuid IS DISTINCT FROM $5
          AND (command.state < {Command.State.NOT_NOW} OR command.not_now_at < channel.idle_at
               OR command.not_now_at > {_NOW})
        ORDER BY command.priority, command.id LIMIT 1 FOR NO KEY UPDATE
    ) AS first JOIN devices_payload AS payload ON payload.id = first.payload_id
), offered AS (
    UPDATE devices_command AS command SET state = {Command.State.OFFERED}, offered_at = {_NOW}
    FROM next WHERE command.id = next.id AND command.state = {Command.State.QUEUED}
)
SELECT next.uuid, next.rendered FROM channel LEFT JOIN next ON true
"""  # noqa: S608

IDLE: Final = Statement.of(_CHANNEL.format(also=f", idle_at = {_NOW}"), _NEXT)
_NOT_AHEAD: Final = f", idle_at = CASE WHEN channel.idle_at > {_NOW} THEN {_NOW} ELSE channel.idle_at END"
NOT_NOW: Final = Statement.of(_CHANNEL.format(also=_NOT_AHEAD), _PUT_OFF, _NEXT)
ANSWER: Final = Statement.of(_CHANNEL.format(also=""), _ANSWERED, _NEXT)
STATEMENTS: Final = dict.fromkeys(Status, ANSWER) | {Status.IDLE: IDLE, Status.NOT_NOW: NOT_NOW}

PARAMETERS: Final = ("bytea", "text", "text", "bytea", "uuid", "smallint", "bytea")
_TYPES: Final = [psycopg.adapters.types[name].oid for name in PARAMETERS]
_FORMATS: Final = [pq.Format.BINARY if name == "bytea" else pq.Format.TEXT for name in PARAMETERS]
_Row: TypeAlias = list[bytes | None]
# For the pipeline's transaction alone: the connection may be a pooler's, and somebody else's next.
SETTINGS: Final = {
    "statement_timeout": f"{SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS * 1000:.0f}ms",
    # Planning costs more than the statement; and each lookup is by an index, however small the table was yesterday.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
}
_SETS: Final = (f"set_config('{name}', '{value}', true)" for name, value in SETTINGS.items())
_SET: Final = f"SELECT {', '.join(_SETS)}".encode()


class PostgresStore(BatchingStore[Exchange, Outcome]):
    def __init__(self, database: Mapping[str, Any]) -> None:
        super().__init__()
        self._conninfo = pipeline.conninfo_of(database, seconds=SECONDS)
        self._connection: psycopg.Connection[Any] | None = None
        self._prepares = not database.get("DISABLE_SERVER_SIDE_CURSORS")  # EPMM_DATABASE_POOLER: none of them is kept

    def _commit(self, exchanges: Sequence[Exchange], /) -> list[Outcome]:
        # two processes that update the same rows must lock them in one order
        order = sorted(range(len(exchanges)), key=lambda index: _channel(exchanges[index]))
        # all values before any is sent
        asked = [(STATEMENTS[exchanges[index].status], _values(exchanges[index])) for index in order]
        try:
            connection = self._connection or self._connect()
            results = self._ask(connection.pgconn, asked)
        except psycopg.Error as error:
            self._disconnect()
            raise StoreUnavailable(str(error).partition("\n")[0]) from error
        if failure := next(filter(None, map(Failure.of, results)), None):
            raise self._error(failure, alone=len(exchanges) == 1)
        outcomes = dict(zip(order, map(_outcome, results[1:]), strict=True))
        return [outcomes[index] for index in range(len(exchanges))]

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg.Connection[Any]:
        connection = self._connection = pipeline.connect(self._conninfo)
        if self._prepares:
            for statement in (IDLE, NOT_NOW, ANSWER):
                connection.pgconn.send_prepare(*statement, _TYPES)
            for failure in filter(None, map(Failure.of, pipeline.results(connection.pgconn, SECONDS))):
                if not issubclass(failure.kind, errors.DuplicatePreparedStatement):
                    raise psycopg.OperationalError(failure.message)
        return connection

    def _ask(self, pgconn: pq.abc.PGconn, asked: Sequence[tuple[Statement, _Row]]) -> list[pq.abc.PGresult]:
        """What each connect got, and first of all what the settings did."""
        pgconn.send_query_params(_SET, None)
        for statement, values in asked:
            if self._prepares:
                pgconn.send_query_prepared(statement.name, values, _FORMATS, pq.Format.BINARY)
            else:
                pgconn.send_query_params(statement.text, values, _TYPES, _FORMATS, pq.Format.BINARY)
        return pipeline.results(pgconn, SECONDS)

    def _error(self, failure: Failure, *, alone: bool) -> Exception:
        """StoreUnavailable is final; for any other one a batch is done again, each request alone."""
        if failure.is_of_server:
            self._disconnect()
            return StoreUnavailable(failure.message)
        if issubclass(failure.kind, errors.InvalidSqlStatementName | errors.DuplicatePreparedStatement):
            # a pooler in between keeps no prepared statements (PgBouncer before 1.21)
            self._prepares = False
            return StoreUnavailable(failure.message)
        is_busy = issubclass(failure.kind, psycopg.OperationalError)
        return StoreUnavailable(failure.message) if alone and is_busy else failure.kind(failure.message)


def _channel(exchange: Exchange) -> tuple[bytes, str]:
    """The users of a Mac share its certificate."""
    return exchange.sha256, exchange.user_key


def _values(exchange: Exchange) -> _Row:
    """In the order of PARAMETERS."""
    state, command = store.STATE_AFTER.get(exchange.status), exchange.command
    return [
        exchange.sha256,
        exchange.device_key.encode(),
        exchange.user_key.encode(),
        exchange.bearer_sha256,
        None if command is None else command.hex.encode(),
        None if state is None else b"%d" % state,
        None if exchange.status is Status.IDLE else exchange.body,
    ]


def _outcome(result: pq.abc.PGresult) -> Outcome:
    if not result.ntuples:
        return NOT_FOUND
    uuid, sealed = result.get_value(0, 0), result.get_value(0, 1)
    if uuid is None or sealed is None:
        return NOTHING_TO_DO
    return Outcome(found=True, command=UUID(bytes=uuid), sealed=sealed)
