"""PostgreSQL by libpq's pipeline mode: however many statements travel together, it is one round trip and one commit.

psycopg's own cursors cost five times as much as a statement of the device door.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from select import POLLIN, POLLOUT, poll
from typing import Any, Final, NamedTuple, Self

import psycopg
from psycopg import errors, pq
from psycopg.conninfo import make_conninfo

# SQLSTATEs: the connection ends, the server does, or it writes no more since another is the primary now.
_NOT_THE_ONE: Final = ("08", "57P", "25006")
# After an attempt to connect in vain.  A server that recovers has better things to do than to refuse us.
FIRST_PAUSE: Final = 0.1  # seconds
LONGEST_PAUSE: Final = 2.0
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


class Coming:
    """What a pipeline returns, from its first statement to its end."""

    def __init__(self, pgconn: pq.abc.PGconn) -> None:
        self._pgconn = pgconn
        self.results: list[pq.abc.PGresult] = []
        self.has_unsent = True

    def is_complete(self) -> bool:
        """Look at what has come; raises psycopg.OperationalError when no more will."""
        pgconn = self._pgconn
        if self.has_unsent:
            self.has_unsent = bool(pgconn.flush())
        while not pgconn.is_busy():
            if (result := pgconn.get_result()) is None:  # the end of one statement
                if pgconn.status != pq.ConnStatus.OK:
                    raise psycopg.OperationalError("connection lost")
            elif result.status == pq.ExecStatus.PIPELINE_SYNC:
                return True
            else:
                self.results.append(result)
        return False


class Line:
    """A connection in pipeline mode that the running event loop itself writes to and reads from.

    Handing over to a thread that waits costs more than all that libpq does.  One pipeline at a time; `greet` sends what
    each new connection is told first.
    """

    def __init__(self, conninfo: str, *, seconds: float, greet: Callable[[pq.abc.PGconn], None]) -> None:
        self._conninfo = conninfo
        self._seconds = seconds
        self._greet = greet
        self.connection: psycopg.Connection[Any] | None = None
        self._descriptor = -1  # of its socket; libpq forgets it when the connection is lost
        self._coming: Coming | None = None
        self._done: Callable[[list[pq.abc.PGresult] | Exception], None] | None = None
        self._patience: asyncio.TimerHandle | None = None
        self._pause = 0.0
        self._not_before = 0.0  # of the loop's clock: the next attempt to connect

    def run(
        self, send: Callable[[pq.abc.PGconn], None], done: Callable[[list[pq.abc.PGresult] | Exception], None]
    ) -> None:
        """Call `send`, and `done` after the commit with what each statement returned, or with why nothing came.

        Between two attempts to connect there is a pause that grows: whoever asks meanwhile is told so at once.
        """
        self._loop = asyncio.get_running_loop()
        self._done = done
        if self.connection is not None:
            self._send(self.connection, send)
            return
        if self._loop.time() < self._not_before:
            self._loop.call_soon(self._tell, psycopg.OperationalError("there was no connection a moment ago"))
            return
        connecting = self._loop.run_in_executor(None, self._connect)
        connecting.add_done_callback(lambda _: self._connected(connecting, send))

    def close(self) -> None:
        self._rest()
        if self.connection is not None:
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
            self.connection.close()
            self.connection = None

    def _connect(self) -> psycopg.Connection[Any]:
        """In a thread."""
        with ExitStack() as stack:
            connection = connect(self._conninfo)
            stack.callback(connection.close)
            self._greet(connection.pgconn)
            for failure in filter(None, map(Failure.of, results(connection.pgconn, self._seconds))):
                if not issubclass(failure.kind, errors.DuplicatePreparedStatement):
                    raise psycopg.OperationalError(failure.message)
            stack.pop_all()
        return connection

    def _connected(
        self, connecting: asyncio.Future[psycopg.Connection[Any]], send: Callable[[pq.abc.PGconn], None]
    ) -> None:
        try:
            self.connection = connecting.result()
            self._descriptor = self.connection.fileno()
            self._loop.add_reader(self._descriptor, self._read)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 -- whoever waits is told
            self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
            self._not_before = self._loop.time() + self._pause
            self._lost(error)
        else:
            self._pause = 0.0
            self._send(self.connection, send)

    def _send(self, connection: psycopg.Connection[Any], send: Callable[[pq.abc.PGconn], None]) -> None:
        self._coming = Coming(connection.pgconn)
        self._patience = self._loop.call_later(self._seconds, self._lost, psycopg.OperationalError("no answer in time"))
        try:
            send(connection.pgconn)
            connection.pgconn.pipeline_sync()
        except Exception as error:  # noqa: BLE001 -- as above
            self.close()
            self._loop.call_soon(self._tell, error)
        else:
            self._loop.call_soon(self._look)

    def _read(self) -> None:
        """Something has come, if only the end of the connection; or more can be sent."""
        if self.connection is not None:
            try:
                self.connection.pgconn.consume_input()
            except psycopg.Error as error:
                self._lost(error)
            else:
                self._look()

    def _look(self) -> None:
        if self._coming is None:
            return
        try:
            is_complete = self._coming.is_complete()
        except psycopg.Error as error:
            self._lost(error)
            return
        if self._coming.has_unsent:
            self._loop.add_writer(self._descriptor, self._read)
        else:
            self._loop.remove_writer(self._descriptor)
        if is_complete:
            results = self._coming.results
            self._rest()
            self._tell(results)

    def _rest(self) -> None:
        """Nothing is waited for."""
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self._coming = None

    def _lost(self, error: BaseException) -> None:
        self.close()
        self._tell(error if isinstance(error, Exception) else psycopg.OperationalError("interrupted"))

    def _tell(self, results: list[pq.abc.PGresult] | Exception) -> None:
        """A connection that ends while nothing is asked concerns nobody."""
        done, self._done = self._done, None
        if done is not None:
            done(results)


def connect(conninfo: str) -> psycopg.Connection[Any]:
    connection: psycopg.Connection[Any] = psycopg.connect(conninfo, autocommit=True)
    connection.pgconn.nonblocking = 1
    connection.pgconn.enter_pipeline_mode()
    return connection


def results(pgconn: pq.abc.PGconn, seconds: float) -> list[pq.abc.PGresult]:
    """End the pipeline, and wait for what each of its statements returned."""
    pgconn.pipeline_sync()
    coming, poller, deadline = Coming(pgconn), poll(), time.monotonic() + seconds
    while not coming.is_complete():
        poller.register(pgconn.socket, POLLIN | POLLOUT if coming.has_unsent else POLLIN)
        if not poller.poll(max(deadline - time.monotonic(), 0) * 1000):
            raise psycopg.OperationalError("no answer in time")
        pgconn.consume_input()
    return coming.results


def conninfo_of(database: Mapping[str, Any], *, seconds: int) -> str:
    """Django's settings as libpq spells them; a server that vanished is noticed soon."""
    names = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
    given = {libpq: database[django] for django, libpq in names.items() if database.get(django)}
    options = {key: value for key, value in database.get("OPTIONS", {}).items() if key not in _NOT_LIBPQ}
    return make_conninfo(**{"tcp_user_timeout": 10_000, "connect_timeout": seconds, **given, **options})
