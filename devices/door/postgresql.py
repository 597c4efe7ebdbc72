"""The store on PostgreSQL: one prepared statement for a batch of connects, one pipeline and one commit."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from struct import pack
from typing import Any, Final
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
from epmm.pipeline import Failure, Line, Statement

SECONDS: Final = 5  # for a connection, for a statement, for a batch
LOCK_SECONDS: Final = 0.5  # one that waits for a lock makes its whole batch wait
_NOW: Final = "statement_timestamp()"  # now() is the same for a whole pipeline

# One statement for a whole batch: making PostgreSQL ready to run one takes longer than finding a device's command.
# All parts see the tables as they were before, so `next` passes over the command that is being answered.  Before also
# means before we waited for the channel: what is locked or written is looked at again as it is now, so `next` locks, or
# it would offer what another gateway has taken the answer to meanwhile.
# What was put off waits for the channel's next Idle (protocol reference, 4.6), or the two would never stop.
# `place % 1 = 0` is always so.  It lets the planner expect one row, and look it up by unique indexes; for the ten that
# it expects of an array it would read small tables whole.
# What lies ahead of the clock was written before it was put back: neither waits until it is that late again.
_CHANNEL: Final = f"""
WITH channel AS (
    UPDATE devices_channel AS channel SET last_seen_at = {_NOW}, idle_at = {{idle_at}}
    FROM unnest({{arrays}}) WITH ORDINALITY AS asked ({{columns}}, place)
    JOIN devices_identity AS identity ON identity.sha256 = asked.sha256
    JOIN devices_enrollment AS enrollment ON enrollment.id = identity.enrollment_id
    WHERE asked.place % 1 = 0 AND identity.state = {Identity.State.CURRENT}
      AND (identity.not_after > {_NOW} OR {store.EXPIRED_GOES_ON})
      AND enrollment.state = {Enrollment.State.ACTIVE} AND enrollment.device_key = asked.device_key
      AND (asked.bearer_sha256 IS NULL OR enrollment.bearer_sha256 = asked.bearer_sha256
           AND (enrollment.bearer_lapses_at IS NULL OR enrollment.bearer_lapses_at > {_NOW}))
      AND channel.enrollment_id = enrollment.id AND channel.user_key = asked.user_key
    RETURNING channel.id, channel.idle_at, asked.place, {{reported}}
)"""  # noqa: S608 -- the names and numbers of our own models, here and below
_REPORTED: Final = f""", answered AS (
    DELETE FROM devices_command AS command USING channel
    WHERE channel.state <> {Command.State.NOT_NOW} AND command.uuid = channel.command
      AND command.channel_id = channel.id
    RETURNING {", ".join(f"command.{column}" for column in MOVED)}, channel.state, channel.body
), kept AS (
    INSERT INTO devices_result ({", ".join(MOVED)}, state, body, received_at) SELECT answered.*, {_NOW} FROM answered
), put_off AS (
    UPDATE devices_command AS command
    SET state = channel.state, not_now_at = {_NOW}, not_now_count = command.not_now_count + 1,
        push_at = {_NOW} + least({store.LONGEST_PAUSE}, {store.FIRST_PAUSE} * 2 ^ least(command.not_now_count, 10))
                  * interval '1 second'
    FROM channel
    WHERE channel.state = {Command.State.NOT_NOW} AND command.uuid = channel.command
      AND command.channel_id = channel.id AND command.state <> {Command.State.CANCELLED}
)"""  # noqa: S608
_NEXT: Final = f""", next AS (
    SELECT channel.place, first.id, first.uuid, first.rendered FROM channel LEFT JOIN LATERAL (
        SELECT command.id, command.uuid, payload.rendered
        FROM devices_command AS command JOIN devices_payload AS payload ON payload.id = command.payload_id
        WHERE command.channel_id = channel.id AND command.uuid IS DISTINCT FROM channel.command
          AND (command.state < {Command.State.NOT_NOW} OR command.not_now_at < channel.idle_at
               OR command.not_now_at > {_NOW})
        ORDER BY command.priority, command.id LIMIT 1 FOR NO KEY UPDATE OF command
    ) AS first ON true
), offered AS (
    UPDATE devices_command AS command SET state = {Command.State.OFFERED}, offered_at = {_NOW}
    FROM next WHERE command.id = next.id AND command.state = {Command.State.QUEUED}
)
SELECT place, uuid, rendered FROM next
"""  # noqa: S608
_NOT_AHEAD: Final = f"CASE WHEN channel.idle_at > {_NOW} THEN {_NOW} ELSE channel.idle_at END"

# Each is an array, with one value for each connect.
WHO: Final = {"sha256": "bytea", "device_key": "text", "user_key": "text", "bearer_sha256": "bytea"}
REPORT: Final = {"command": "uuid", "state": "smallint", "body": "bytea"}
_ARRAYS: Final = [psycopg.adapters.types[name].array_oid for name in (WHO | REPORT).values()]
_ELEMENTS: Final = [psycopg.adapters.types[name].oid for name in (WHO | REPORT).values()]


def _statement(columns: Iterable[str], *parts: str, **given: str) -> Statement:
    names = list(columns)
    arrays = ", ".join(f"${number}" for number, _ in enumerate(names, 1))
    return Statement.of(parts[0].format(arrays=arrays, columns=", ".join(names), **given), *parts[1:])


IDLE: Final = _statement(WHO, _CHANNEL, _NEXT, idle_at=_NOW, reported="NULL::uuid AS command")
# For a batch in which somebody reports something.
ANY: Final = _statement(
    WHO | REPORT, _CHANNEL, _REPORTED, _NEXT,
    idle_at=f"CASE WHEN asked.state IS NULL THEN {_NOW} ELSE {_NOT_AHEAD} END",
    reported=", ".join(f"asked.{column}" for column in REPORT),
)  # fmt: skip
# A plan that was made while a table was empty would go on reading all of it when it is large, until it is analyzed.
PLAN_SECONDS: Final = 1.0
LARGEST_STATEMENT: Final = 4 << 20  # bytes of results, from which on another one begins

# For the pipeline's transaction alone: the connection may be a pooler's, and somebody else's next.
_ALWAYS: Final = {
    "statement_timeout": f"{SECONDS}s",
    "lock_timeout": f"{LOCK_SECONDS * 1000:.0f}ms",
    # Planning costs more than the statement.
    "plan_cache_mode": "force_generic_plan",
}
# While it plans: each lookup is by an index, however small the table was yesterday.
SETTINGS: Final = _ALWAYS | {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "join_collapse_limit": "1",  # first by the certificate, of which there is one; a device may have been here often
}


def _set(settings: Mapping[str, str]) -> Statement:
    calls = (f"set_config('{name}', '{value}', true)" for name, value in settings.items())
    return Statement.of(f"SELECT {', '.join(calls)}")


SET: Final = _set(_ALWAYS)
SET_TO_PLAN: Final = _set(SETTINGS)


class PostgresStore(BatchingStore[Exchange, Outcome]):
    def __init__(self, database: Mapping[str, Any]) -> None:
        super().__init__()
        self._prepares = not database.get("DISABLE_SERVER_SIDE_CURSORS")  # EPMM_DATABASE_POOLER: none of them is kept
        conninfo = pipeline.conninfo_of(database, seconds=SECONDS)
        self._planned_at = -PLAN_SECONDS
        self._planned: set[Statement] = set()  # since then
        self._line = Line(conninfo, seconds=SECONDS, greet=self._prepare)

    async def close(self) -> None:
        await super().close()
        self._line.close()

    def _begin(self, exchanges: Sequence[Exchange], /) -> None:
        parts = list(_parts(exchanges))
        try:  # all values before any is sent
            asked = [_asked([exchanges[index] for index in part]) for part in parts]
        except ValueError as error:  # no text that a database could take
            self._loop.call_soon(self._end, error)
            return
        self._line.run(partial(self._send, asked), partial(self._came, parts))

    def _prepare(self, pgconn: pq.abc.PGconn) -> None:
        if self._prepares:
            self._planned.clear()
            pgconn.send_prepare(*SET)
            pgconn.send_prepare(*SET_TO_PLAN)
            pgconn.send_prepare(*IDLE, _ARRAYS[: len(WHO)])
            pgconn.send_prepare(*ANY, _ARRAYS)

    def _send(self, asked: Sequence[tuple[Statement, list[bytes]]], pgconn: pq.abc.PGconn) -> None:
        """The settings, and all that is asked."""
        if self._prepares:
            if self._loop.time() > self._planned_at + PLAN_SECONDS:
                self._planned_at = self._loop.time()
                self._planned.clear()
                pgconn.send_query_params(b"DISCARD PLANS", None)
            statements = {statement for statement, _ in asked}
            pgconn.send_query_prepared((SET if statements <= self._planned else SET_TO_PLAN).name, None)
            self._planned |= statements
        else:
            pgconn.send_query_params(SET_TO_PLAN.text, None)
        for statement, arrays in asked:
            formats = [pq.Format.BINARY] * len(arrays)
            if self._prepares:
                pgconn.send_query_prepared(statement.name, arrays, formats, pq.Format.BINARY)
            else:
                types = _ARRAYS[: len(arrays)]
                pgconn.send_query_params(statement.text, arrays, types, formats, pq.Format.BINARY)

    def _came(self, parts: Sequence[Sequence[int]], results: Sequence[pq.abc.PGresult] | Exception) -> None:
        try:
            answers = self._answers(parts, results)
        except Exception as error:  # noqa: BLE001 -- those that wait for the answers must get it
            answers = error
        self._end(answers)

    def _answers(
        self, parts: Sequence[Sequence[int]], results: Sequence[pq.abc.PGresult] | Exception
    ) -> list[Outcome] | Exception:
        if isinstance(results, psycopg.Error):
            return StoreUnavailable(str(results).partition("\n")[0])
        if isinstance(results, Exception):
            return results
        count = sum(map(len, parts))
        failure = next(filter(None, map(Failure.of, results)), None)
        return self._error(failure, alone=count == 1) if failure else _outcomes(count, parts, results[-len(parts) :])

    def _error(self, failure: Failure, *, alone: bool) -> Exception:
        """StoreUnavailable is final; for any other one a batch is done again, each request alone."""
        self._planned.clear()  # it may not have come to that
        if failure.is_of_server:
            self._line.close()
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


def _parts(exchanges: Sequence[Exchange]) -> Iterator[list[int]]:
    """Which of them one statement asks for, by their places: each channel once, and not too many bytes.

    In one order: two processes that update the same rows must lock them so.
    """
    part: list[int] = []
    last, size = None, 0
    for index in sorted(range(len(exchanges)), key=lambda index: _channel(exchanges[index])):
        exchange = exchanges[index]
        if part and (size > LARGEST_STATEMENT or _channel(exchange) == last):
            yield part
            part, size = [], 0
        part.append(index)
        last = _channel(exchange)
        size += len(exchange.body)
    yield part


def _asked(exchanges: Sequence[Exchange]) -> tuple[Statement, list[bytes]]:
    columns: list[list[bytes | None]] = [
        [exchange.sha256 for exchange in exchanges],
        [exchange.device_key.encode() for exchange in exchanges],
        [exchange.user_key.encode() for exchange in exchanges],
        [exchange.bearer_sha256 for exchange in exchanges],
    ]
    statement = IDLE
    if any(exchange.status is not Status.IDLE for exchange in exchanges):
        statement = ANY
        states = [store.STATE_AFTER.get(exchange.status) for exchange in exchanges]
        columns += [
            [None if exchange.command is None else exchange.command.bytes for exchange in exchanges],
            [None if state is None else state.to_bytes(2) for state in states],
            [None if exchange.status is Status.IDLE else exchange.body for exchange in exchanges],
        ]
    return statement, list(map(_array, _ELEMENTS, columns))


def _array(kind: int, values: Sequence[bytes | None]) -> bytes:
    """As PostgreSQL reads an array of one dimension in binary, from index 1 on (array_recv)."""
    head = pack(">iiIii", 1, None in values, kind, len(values), 1)
    return head + b"".join(
        [b"\xff\xff\xff\xff" if value is None else pack(">i", len(value)) + value for value in values]
    )


def _outcomes(count: int, parts: Sequence[Sequence[int]], results: Sequence[pq.abc.PGresult]) -> list[Outcome]:
    """What each connect got; it has a row where it was found."""
    outcomes = [NOT_FOUND] * count
    for part, result in zip(parts, results, strict=True):
        for row in range(result.ntuples):
            place, uuid, sealed = (result.get_value(row, column) for column in range(3))
            index = part[int.from_bytes(place or b"") - 1]
            outcomes[index] = NOTHING_TO_DO
            if uuid is not None and sealed is not None:
                outcomes[index] = Outcome(found=True, command=UUID(bytes=uuid), sealed=sealed)
    return outcomes
