"""PostgreSQL by libpq's pipeline mode: however many statements travel together, it is one round trip and one commit.

psycopg's own cursors cost five times as much as a statement of the device door.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from select import POLLIN, POLLOUT, poll
from typing import Any, Final, NamedTuple, Self

import psycopg
from psycopg import errors, pq
from psycopg.conninfo import make_conninfo

# SQLSTATEs: the connection ends, the server does, or it writes no more since another is the primary now.
_NOT_THE_ONE: Final = ("08", "57P", "25006")
_NOT_LIBPQ: Final = {"pool", "isolation_level", "server_side_binding", "assume_role", "prepare_threshold"}


class Statement(NamedTuple):
    name: bytes  # a pooler may hand us a server's connection on which another release has prepared another one
    text: bytes

    @classmethod
    def of(cls, *parts: str) -> Self:
        text = "".join(parts).encode()
        return cls(b"door_" + hashlib.sha256(text).hexdigest()[:16].encode(), text)


class Failure(NamedTuple):
    kind: type[psycopg.Error]
    message: str  # without the detail, which may quote a row
    is_of_server: bool  # and another connection may do

    @classmethod
    def of(cls, result: pq.abc.PGresult) -> Self | None:
        if result.status in {pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK}:
            return None
        state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
        message = (result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b"").decode(errors="replace")
        return cls(type(errors.error_from_result(result)), message, state.startswith(_NOT_THE_ONE))


def connect(conninfo: str) -> psycopg.Connection[Any]:
    connection: psycopg.Connection[Any] = psycopg.connect(conninfo, autocommit=True)
    connection.pgconn.nonblocking = 1
    connection.pgconn.enter_pipeline_mode()
    return connection


def results(pgconn: pq.abc.PGconn, seconds: float) -> list[pq.abc.PGresult]:
    """End the pipeline; what each of its statements returned, after the commit."""
    pgconn.pipeline_sync()
    return list(_until_sync(pgconn, seconds))


def _until_sync(pgconn: pq.abc.PGconn, seconds: float) -> Iterator[pq.abc.PGresult]:
    poller, deadline = poll(), time.monotonic() + seconds
    while True:
        unsent = pgconn.flush()
        if pgconn.is_busy():
            poller.register(pgconn.socket, POLLIN | POLLOUT if unsent else POLLIN)
            if not poller.poll(max(deadline - time.monotonic(), 0) * 1000):
                raise psycopg.OperationalError("no answer in time")
            pgconn.consume_input()
        elif (result := pgconn.get_result()) is None:  # the end of one statement
            if pgconn.status != pq.ConnStatus.OK:
                raise psycopg.OperationalError("connection lost")
        elif result.status == pq.ExecStatus.PIPELINE_SYNC:
            return
        else:
            yield result


def conninfo_of(database: Mapping[str, Any], *, seconds: int) -> str:
    """Django's settings as libpq spells them; a server that vanished is noticed soon."""
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    given = {libpq: database[django] for django, libpq in names.items() if database.get(django)}
    options = {key: value for key, value in database.get("OPTIONS", {}).items() if key not in _NOT_LIBPQ}
    return make_conninfo(**{"tcp_user_timeout": 10_000, "connect_timeout": seconds, **given, **options})
