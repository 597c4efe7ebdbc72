"""The store on PostgreSQL: one prepared statement for each connect, so one round trip and one commit."""

from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from devices.door.store import NOT_FOUND, Exchange, Outcome, StoreUnavailable
from devices.models import Command, Enrollment, Identity

CONNECTIONS: Final = 4
SECONDS: Final = 5  # for a connection, and for the statement
_OPEN: Final = Command.State.ACKNOWLEDGED.value  # the states below it
_NOT_LIBPQ: Final = {"pool", "isolation_level", "server_side_binding", "assume_role", "prepare_threshold"}

# All parts see the tables as they were before, so `next` passes over the command that `reported` is closing, and the
# states are asked for again where a row is written: it may have changed while we waited for its lock.
# What was put off waits for the channel's next Idle (protocol reference, 4.6), or the two would never stop.
CONNECT: Final = f"""
WITH channel AS (
    UPDATE devices_channel AS channel
    SET last_seen_at = now(), idle_at = CASE WHEN %(idle)b THEN now() ELSE channel.idle_at END
    FROM devices_identity AS identity JOIN devices_enrollment AS enrollment ON enrollment.id = identity.enrollment_id
    WHERE identity.sha256 = %(sha256)b AND identity.state = {Identity.State.CURRENT} AND identity.not_after > now()
      AND enrollment.state = {Enrollment.State.ACTIVE} AND enrollment.device_key = %(device_key)b
      AND (%(bearer_sha256)b::bytea IS NULL OR enrollment.bearer_sha256 = %(bearer_sha256)b::bytea)
      AND channel.enrollment_id = enrollment.id AND channel.user_key = %(user_key)b
    RETURNING channel.id, channel.idle_at
), reported AS (
    UPDATE devices_command AS command
    SET state = %(state)b::smallint,
        done_at = CASE WHEN %(state)b::smallint >= {_OPEN} THEN now() END,
        not_now_at = CASE WHEN %(state)b::smallint < {_OPEN} THEN now() ELSE command.not_now_at END,
        not_now_count = command.not_now_count + (%(state)b::smallint < {_OPEN})::int
    FROM channel
    WHERE command.uuid = %(command)b::uuid AND command.channel_id = channel.id AND command.state < {_OPEN}
    RETURNING command.id
), kept AS (
    INSERT INTO devices_result (command_id, status, body, received_at)
    SELECT reported.id, %(state)b::smallint, %(body)b, now() FROM reported WHERE %(state)b::smallint >= {_OPEN}
    ON CONFLICT (command_id) DO NOTHING
), next AS (
    SELECT command.id, command.state, command.rendered
    FROM channel JOIN devices_command AS command ON command.channel_id = channel.id
    WHERE command.state < {_OPEN} AND command.uuid IS DISTINCT FROM %(command)b::uuid
      AND (command.state < {Command.State.NOT_NOW} OR command.not_now_at < channel.idle_at)
    ORDER BY command.priority, command.id LIMIT 1
), offered AS (
    UPDATE devices_command AS command SET state = {Command.State.OFFERED}, offered_at = now()
    FROM next WHERE command.id = next.id AND command.state = {Command.State.QUEUED}
)
SELECT next.rendered FROM channel LEFT JOIN next ON true
"""  # noqa: S608 -- the numbers of our own enumerations
STATEMENTS: Final = (CONNECT,)


class PostgresStore:
    def __init__(self, database: Mapping[str, Any], *, connections: int = CONNECTIONS) -> None:
        self._pool = AsyncConnectionPool(
            _conninfo(database),
            kwargs={"autocommit": True, "prepare_threshold": 0},
            configure=_configure,
            min_size=1,
            max_size=connections,
            timeout=SECONDS,
            open=False,
        )
        self._prepare = True

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    async def connect(self, exchange: Exchange) -> Outcome:
        try:
            async with self._pool.connection() as connection:
                return await self._ask(connection, exchange)
        except (psycopg.errors.InvalidSqlStatementName, psycopg.errors.DuplicatePreparedStatement) as error:
            # a pooler in between that does not keep prepared statements (PgBouncer before 1.21)
            self._prepare = False
            raise StoreUnavailable("the server lost a prepared statement; from now on without") from error
        except psycopg.OperationalError as error:
            raise StoreUnavailable(str(error).partition("\n")[0]) from error

    async def _ask(self, connection: psycopg.AsyncConnection[Any], exchange: Exchange) -> Outcome:
        cursor = connection.cursor(binary=True)
        try:
            await cursor.execute(CONNECT, exchange.values(), prepare=self._prepare)
        except psycopg.Error:
            await connection.close()  # whatever it has prepared is gone with it; the pool makes another
            raise
        row = await cursor.fetchone()
        return NOT_FOUND if row is None else Outcome(found=True, rendered=row[0])


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    """lz4 where the server has it: the default costs 70 microseconds more for a result of 7 KB."""
    await connection.execute(f"SET statement_timeout = '{SECONDS}s'")
    await connection.execute(
        "SELECT set_config('default_toast_compression', 'lz4', false) FROM pg_settings"
        " WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)"
    )


def _conninfo(database: Mapping[str, Any]) -> str:
    """Django's settings as libpq spells them; a server that vanished is noticed soon."""
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    given = {libpq: database[django] for django, libpq in names.items() if database.get(django)}
    options = {key: value for key, value in database.get("OPTIONS", {}).items() if key not in _NOT_LIBPQ}
    return make_conninfo(**{"tcp_user_timeout": 10_000, "connect_timeout": SECONDS, **given, **options})
