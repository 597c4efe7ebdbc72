"""The stores on PostgreSQL: one prepared statement for a batch, one pipeline and one commit."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from struct import pack
from typing import Any, ClassVar, Final, Generic, TypeVar
from uuid import UUID

import psycopg
from psycopg import errors, pq

from devices.door import store
from devices.door.store import NOT_FOUND, NOTHING_TO_DO, Exchange, Outcome, Question
from devices.models import Command, Enrollment, Identity
from devices.models.command import MOVED
from devices.protocol.result import Status
from epmm import pipeline
from epmm.batching import BatchingStore, StoreUnavailable
from epmm.pipeline import Failure, Line, Statement

Q = TypeVar("Q", bound=Question)
A = TypeVar("A")

SECONDS: Final = 5  # for a connection, for a statement, for a batch
LOCK_SECONDS: Final = 0.5  # one that waits for a lock makes its whole batch wait
NOW: Final = "statement_timestamp()"  # now() is the same for a whole pipeline

# One statement for a whole batch: making PostgreSQL ready to run one takes longer than finding a device's command.
# All parts see the tables as they were before, so `next` passes over the command that is being answered.  Before also
# means before we waited for the channel: what is locked or written is looked at again as it is now, so `next` locks, or
# it would offer what another gateway has taken the answer to meanwhile.
# What was put off waits for the channel's next Idle (protocol reference, 4.6), or the two would never stop.
# `place % 1 = 0` is always so.  It lets the planner expect one row, and look it up by unique indexes; for the ten that
# it expects of an array it would read small tables whole.
# What lies ahead of the clock was written before it was put back: neither waits until it is that late again.
CHANNEL: Final = f"""
WITH channel AS (
    UPDATE devices_channel AS channel SET last_seen_at = {NOW}, idle_at = {{idle_at}}
    FROM unnest({{arrays}}) WITH ORDINALITY AS asked ({{columns}}, place)
    JOIN devices_identity AS identity ON identity.sha256 = asked.sha256
    JOIN devices_enrollment AS enrollment ON enrollment.id = identity.enrollment_id
    WHERE asked.place % 1 = 0 AND identity.state = {Identity.State.CURRENT}
      AND (identity.not_after > {NOW} OR {store.EXPIRED_GOES_ON})
      AND enrollment.state = {Enrollment.State.ACTIVE} AND enrollment.device_key = asked.device_key
      AND (asked.bearer_sha256 IS NULL OR enrollment.bearer_sha256 = asked.bearer_sha256
           AND (enrollment.bearer_lapses_at IS NULL OR enrollment.bearer_lapses_at > {NOW}))
      AND channel.enrollment_id = enrollment.id AND channel.user_key = asked.user_key
    RETURNING channel.id, channel.idle_at, asked.place, {{reported}}
)"""  # noqa: S608 -- the names and numbers of our own models, here and below
_REPORTED: Final = f""", answered AS (
    DELETE FROM devices_command AS command USING channel
    WHERE channel.state <> {Command.State.NOT_NOW} AND command.uuid = channel.command
      AND command.channel_id = channel.id
    RETURNING {", ".join(f"command.{column}" for column in MOVED)}, channel.state, channel.body
), kept AS (
    INSERT INTO devices_result ({", ".join(MOVED)}, state, body, received_at) SELECT answered.*, {NOW} FROM answered
), put_off AS (
    UPDATE devices_command AS command
    SET state = channel.state, not_now_at = {NOW}, not_now_count = command.not_now_count + 1,
        push_at = {NOW} + least({store.LONGEST_PAUSE}, {store.FIRST_PAUSE} * 2 ^ least(command.not_now_count, 10))
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
               OR command.not_now_at > {NOW})
        ORDER BY command.priority, command.id LIMIT 1 FOR NO KEY UPDATE OF command
    ) AS first ON true
), offered AS (
    UPDATE devices_command AS command SET state = {Command.State.OFFERED}, offered_at = {NOW}
    FROM next WHERE command.id = next.id AND command.state = {Command.State.QUEUED}
)
SELECT place, uuid, rendered FROM next
"""  # noqa: S608
_NOT_AHEAD: Final = f"CASE WHEN channel.idle_at > {NOW} THEN {NOW} ELSE channel.idle_at END"

# Each is an array, with one value for each connect.
WHO: Final = {"sha256": "bytea", "device_key": "text", "user_key": "text", "bearer_sha256": "bytea"}
REPORT: Final = {"command": "uuid", "state": "smallint", "body": "bytea"}


def statement(columns: Iterable[str], *parts: str, **given: str) -> Statement:
    """`parts`: CHANNEL, which is given what it leaves open, and what follows from it."""
    names = list(columns)
    arrays = ", ".join(f"${number}" for number, _ in enumerate(names, 1))
    return Statement.of(parts[0].format(arrays=arrays, columns=", ".join(names), **given), *parts[1:])


IDLE: Final = statement(WHO, CHANNEL, _NEXT, idle_at=NOW, reported="NULL::uuid AS command")
# For a batch in which somebody reports something.
ANY: Final = statement(
    WHO | REPORT, CHANNEL, _REPORTED, _NEXT,
    idle_at=f"CASE WHEN asked.state IS NULL THEN {NOW} ELSE {_NOT_AHEAD} END",
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


class PostgresStore(BatchingStore[Q, A], Generic[Q, A]):
    columns: ClassVar[Mapping[str, str]]  # the types of what a question consists of: each is an array

    def __init__(self, database: Mapping[str, Any]) -> None:
        super().__init__()
        self._prepares = not database.get("DISABLE_SERVER_SIDE_CURSORS")  # EPMM_DATABASE_POOLER: none of them is kept
        conninfo = pipeline.conninfo_of(database, seconds=SECONDS)
        self._planned_at = -PLAN_SECONDS
        self._planned: set[Statement] = set()  # since then
        self._line = Line(conninfo, seconds=SECONDS, greet=self._prepare)
        types = [psycopg.adapters.types[name] for name in self.columns.values()]
        self._elements, self._arrays = [each.oid for each in types], [each.array_oid for each in types]

    @abstractmethod
    def _statements(self) -> Iterable[tuple[Statement, int]]:
        """All that it may ask, and how many of the columns each takes, from the first one on."""

    @abstractmethod
    def _asked(self, questions: Sequence[Q], /) -> tuple[Statement, Sequence[Sequence[bytes | None]]]:
        """The statement for a part, and its columns: one value for each question."""

    @abstractmethod
    def _answered(self, count: int, result: pq.abc.PGresult, /) -> list[A]:
        """What each question of a part got.  A row begins with the place of its question, counted from 1."""

    async def close(self) -> None:
        await super().close()
        self._line.close()

    def _begin(self, questions: Sequence[Q], /) -> None:
        parts = list(_parts(questions))
        try:  # all values before any is sent
            asked = [self._packed([questions[index] for index in part]) for part in parts]
        except ValueError as error:  # no text that a database could take
            self._loop.call_soon(self._end, error)
            return
        self._line.run(partial(self._send, asked), partial(self._came, parts))

    def _packed(self, questions: Sequence[Q]) -> tuple[Statement, list[bytes]]:
        statement, columns = self._asked(questions)
        return statement, list(map(_array, self._elements, columns))

    def _prepare(self, pgconn: pq.abc.PGconn) -> None:
        if self._prepares:
            self._planned.clear()
            pgconn.send_prepare(*SET)
            pgconn.send_prepare(*SET_TO_PLAN)
            for statement, count in self._statements():
                pgconn.send_prepare(*statement, self._arrays[:count])

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
                types = self._arrays[: len(arrays)]
                pgconn.send_query_params(statement.text, arrays, types, formats, pq.Format.BINARY)

    def _came(self, parts: Sequence[Sequence[int]], results: Sequence[pq.abc.PGresult] | Exception) -> None:
        try:
            answers = self._answers(parts, results)
        except Exception as error:  # noqa: BLE001 -- those that wait for the answers must get it
            answers = error
        self._end(answers)

    def _answers(
        self, parts: Sequence[Sequence[int]], results: Sequence[pq.abc.PGresult] | Exception
    ) -> list[A] | Exception:
        if isinstance(results, psycopg.Error):
            return StoreUnavailable(str(results).partition("\n")[0])
        if isinstance(results, Exception):
            return results
        count = sum(map(len, parts))
        if failure := next(filter(None, map(Failure.of, results)), None):
            return self._error(failure, alone=count == 1)
        answers: dict[int, A] = {}
        for part, result in zip(parts, results[-len(parts) :], strict=True):
            answers.update(zip(part, self._answered(len(part), result), strict=True))
        return [answers[index] for index in range(count)]

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


class PostgresConnects(PostgresStore[Exchange, Outcome]):
    columns = WHO | REPORT

    def _statements(self) -> Iterable[tuple[Statement, int]]:
        return (IDLE, len(WHO)), (ANY, len(WHO | REPORT))

    def _asked(self, questions: Sequence[Exchange], /) -> tuple[Statement, Sequence[Sequence[bytes | None]]]:
        if all(exchange.status is Status.IDLE for exchange in questions):
            return IDLE, who(questions)
        states = [store.STATE_AFTER.get(exchange.status) for exchange in questions]
        return ANY, [
            *who(questions),
            [None if exchange.command is None else exchange.command.bytes for exchange in questions],
            [None if state is None else state.to_bytes(2) for state in states],
            [None if exchange.status is Status.IDLE else exchange.body for exchange in questions],
        ]

    def _answered(self, count: int, result: pq.abc.PGresult, /) -> list[Outcome]:
        """It has a row where it was found."""
        outcomes = [NOT_FOUND] * count
        for place, (uuid, sealed) in places(result):
            outcomes[place] = NOTHING_TO_DO
            if uuid is not None and sealed is not None:
                outcomes[place] = Outcome(found=True, command=UUID(bytes=uuid), sealed=sealed)
        return outcomes


def who(questions: Sequence[Question]) -> list[list[bytes | None]]:
    """The columns of WHO."""
    return [
        [question.sha256 for question in questions],
        [question.device_key.encode() for question in questions],
        [question.user_key.encode() for question in questions],
        [question.bearer_sha256 for question in questions],
    ]


def _channel(question: Question) -> tuple[bytes, str]:
    """The users of a Mac share its certificate."""
    return question.sha256, question.user_key


def _parts(questions: Sequence[Question]) -> Iterator[list[int]]:
    """Which of them one statement asks for, by their places: each channel once, and not too many bytes.

    In one order: two processes that update the same rows must lock them so.
    """
    part: list[int] = []
    last, size = None, 0
    for index in sorted(range(len(questions)), key=lambda index: _channel(questions[index])):
        question = questions[index]
        if part and (size > LARGEST_STATEMENT or _channel(question) == last):
            yield part
            part, size = [], 0
        part.append(index)
        last = _channel(question)
        size += len(question.body)
    yield part


def _array(kind: int, values: Sequence[bytes | None]) -> bytes:
    """As PostgreSQL reads an array of one dimension in binary, from index 1 on (array_recv)."""
    head = pack(">iiIii", 1, None in values, kind, len(values), 1)
    return head + b"".join(
        [b"\xff\xff\xff\xff" if value is None else pack(">i", len(value)) + value for value in values]
    )


def places(result: pq.abc.PGresult) -> Iterator[tuple[int, list[bytes | None]]]:
    """Each row: which question of its part it belongs to, counted from 0, and its other values."""
    others = range(1, result.nfields)
    for row in range(result.ntuples):
        yield int.from_bytes(result.get_value(row, 0) or b"") - 1, [result.get_value(row, each) for each in others]
