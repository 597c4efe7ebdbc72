"""The stores on SQLite: a transaction for each batch."""

import asyncio
import sqlite3
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from devices.door import store
from devices.door.store import NOT_FOUND, NOTHING_TO_DO, Exchange, Outcome, Question
from devices.models import Command, Enrollment, Identity
from devices.models.command import MOVED
from devices.protocol.result import Status
from epmm.batching import BatchingStore, StoreUnavailable

Q = TypeVar("Q")
A = TypeVar("A")

BUSY_SECONDS: Final = 5
_TURN: Final = Lock()  # of this process: who waits for SQLite's own lock sleeps, and may find it taken again

CHANNEL: Final = f"""
UPDATE devices_channel AS channel SET last_seen_at = :now,
    idle_at = iif(:idle OR channel.idle_at > :now, :now, channel.idle_at)
FROM devices_identity AS identity JOIN devices_enrollment AS enrollment ON enrollment.id = identity.enrollment_id
WHERE identity.sha256 = :sha256 AND identity.state = {Identity.State.CURRENT}
  AND (identity.not_after > :now OR {store.EXPIRED_GOES_ON})
  AND enrollment.state = {Enrollment.State.ACTIVE} AND enrollment.device_key = :device_key
  AND (:bearer_sha256 IS NULL OR enrollment.bearer_sha256 = :bearer_sha256
       AND (enrollment.bearer_lapses_at IS NULL OR enrollment.bearer_lapses_at > :now))
  AND channel.enrollment_id = enrollment.id AND channel.user_key = :user_key
RETURNING id, idle_at
"""  # noqa: S608 -- the numbers of our own enumerations, here and below
PUT_OFF: Final = f"""
UPDATE devices_command SET state = :state, not_now_at = :now, not_now_count = not_now_count + 1,
    push_at = datetime(:now, min({store.LONGEST_PAUSE}, {store.FIRST_PAUSE} << min(not_now_count, 10)) || ' seconds')
WHERE uuid = :command AND channel_id = :channel AND state <> {Command.State.CANCELLED}
"""  # noqa: S608
KEEP: Final = f"""
INSERT INTO devices_result ({", ".join(MOVED)}, state, body, received_at)
SELECT {", ".join(MOVED)}, :state, :body, :now FROM devices_command WHERE uuid = :command AND channel_id = :channel
"""  # noqa: S608
CLOSE: Final = "DELETE FROM devices_command WHERE uuid = :command AND channel_id = :channel"
NEXT: Final = f"""
SELECT command.id, command.uuid, command.state, payload.rendered
FROM devices_command AS command JOIN devices_payload AS payload ON payload.id = command.payload_id
WHERE command.channel_id = :channel AND command.uuid IS NOT :command
  AND (command.state < {Command.State.NOT_NOW} OR command.not_now_at < :idle_at OR command.not_now_at > :now)
ORDER BY command.priority, command.id LIMIT 1
"""  # noqa: S608
OFFER: Final = f"UPDATE devices_command SET state = {Command.State.OFFERED}, offered_at = :now WHERE id = :id"  # noqa: S608
STATEMENTS: Final = (CHANNEL, PUT_OFF, KEEP, CLOSE, NEXT, OFFER)


class SqliteStore(BatchingStore[Q, A], Generic[Q, A]):
    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="door-sqlite")

    @staticmethod
    @abstractmethod
    def _answer(connection: sqlite3.Connection, question: Q, /) -> A:
        """In a transaction that others of the batch share."""

    async def close(self) -> None:
        await super().close()
        await asyncio.to_thread(self._thread.shutdown)
        self._disconnect()

    def _begin(self, questions: Sequence[Q], /) -> None:
        done = self._thread.submit(self._commit, questions)
        done.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._committed, done))

    def _committed(self, done: Future[list[A]]) -> None:
        error = done.exception()
        self._end(done.result() if error is None else error if isinstance(error, Exception) else StoreUnavailable())

    def _commit(self, questions: Sequence[Q]) -> list[A]:
        with _TURN:
            return self._commit_all(questions)

    def _commit_all(self, questions: Sequence[Q]) -> list[A]:
        try:
            connection = self._connection = self._connection or _connection(self._path)
            connection.execute("BEGIN IMMEDIATE")
            try:
                answers = [self._answer(connection, question) for question in questions]
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            self._disconnect()
            raise StoreUnavailable(str(error)) from error
        return answers

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _connection(path: str) -> sqlite3.Connection:
    # `rw`: a file that is gone must not come back empty
    uri = f"{Path(path).absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def moment(when: datetime) -> str:
    """As Django writes it, so that the ORM compares rightly."""
    return str(when.astimezone(UTC).replace(tzinfo=None))


def who(question: Question, now: datetime) -> dict[str, Any]:
    """What CHANNEL asks for, but for `idle`."""
    return {
        "now": moment(now),
        "sha256": question.sha256,
        "device_key": question.device_key,
        "user_key": question.user_key,
        "bearer_sha256": question.bearer_sha256,
    }


class SqliteConnects(SqliteStore[Exchange, Outcome]):
    @staticmethod
    def _answer(connection: sqlite3.Connection, exchange: Exchange, /) -> Outcome:
        values = who(exchange, datetime.now(UTC)) | {
            "idle": exchange.status is Status.IDLE,
            "state": store.STATE_AFTER.get(exchange.status),
            "command": exchange.command.hex if exchange.command else None,
            "body": exchange.body,
        }
        found = connection.execute(CHANNEL, values).fetchone()
        if found is None:
            return NOT_FOUND
        values["channel"], values["idle_at"] = found
        if exchange.command is not None:
            _report(connection, exchange.status, values)
        return _next(connection, values)


def _report(connection: sqlite3.Connection, status: Status, values: dict[str, Any]) -> None:
    """An unknown command, an answered one and one of another channel are no row here, and nothing happens."""
    if status is Status.NOT_NOW:
        connection.execute(PUT_OFF, values)
    elif connection.execute(KEEP, values).rowcount:
        connection.execute(CLOSE, values)


def _next(connection: sqlite3.Connection, values: dict[str, Any]) -> Outcome:
    chosen = connection.execute(NEXT, values).fetchone()
    if chosen is None:
        return NOTHING_TO_DO
    identifier, uuid, state, sealed = chosen
    if state == Command.State.QUEUED:
        connection.execute(OFFER, values | {"id": identifier})
    return Outcome(found=True, command=UUID(hex=uuid), sealed=sealed)
