"""What is left of a former primary: it answers, so Django keeps the connection, and refuses all that is written."""

import sqlite3
import sys
from collections.abc import Callable
from typing import Any, Final

from django.db import InterfaceError, InternalError, OperationalError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse
from django.views.defaults import server_error as fault

READ_ONLY: Final = "25006"  # as PostgreSQL numbers its refusals
# Of what ends a session: it was idle in a transaction for too long, or the server could not go on.
# https://www.postgresql.org/docs/15/runtime-config-logging.html#RUNTIME-CONFIG-SEVERITY-LEVELS
_ENDING: Final = {"FATAL", "PANIC"}
DEADLOCK: Final = "40P01"
_OUT_OF_ORDER: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
RETRY_SECONDS: Final = 5


def is_read_only(error: BaseException | None) -> bool:
    return isinstance(error, InternalError) and getattr(error.__cause__, "sqlstate", None) == READ_ONLY


def _has_ended(error: BaseException | None) -> bool:
    """The session, whatever the reason."""
    told = getattr(error.__cause__, "diag", None) if isinstance(error, InternalError) else None
    return told is not None and told.severity_nonlocalized in _ENDING


def is_deadlock(error: OperationalError) -> bool:
    """Of the two that waited for each other this one was ended; the other one has gone on."""
    return getattr(error.__cause__, "sqlstate", None) == DEADLOCK


def is_out_of_order(error: Exception) -> bool:
    """Whoever asks whatever is told so: SQLite's lock is held, a disk is full, memory is short.

    https://www.sqlite.org/rescode.html, and classes 53 and 58 of PostgreSQL's SQLSTATEs.
    """
    cause = error.__cause__
    code, state = getattr(cause, "sqlite_errorcode", 0) & 0xFF, getattr(cause, "sqlstate", None) or ""
    return code in _OUT_OF_ORDER or state.startswith(("53", "58"))


def is_away(error: BaseException | None) -> bool:
    """The database, for a moment."""
    return isinstance(error, OperationalError | InterfaceError) or is_read_only(error) or _has_ended(error)


def watch() -> None:
    """Over each connection of this process, as it is opened."""
    connection_created.connect(_watch_over, dispatch_uid="epmm.failover")


def _watch_over(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor == "postgresql" and _leave_when_read_only not in connection.execute_wrappers:
        connection.execute_wrappers.append(_leave_when_read_only)


def _leave_when_read_only(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:  # noqa: FBT001 - Django's way
    try:
        return execute(sql, params, many, context)
    except InternalError as error:
        if is_read_only(error):
            context["connection"].close_at = 0.0  # its age is over: closed as soon as this request or task is
        raise


def server_error(request: HttpRequest) -> HttpResponse:
    """For what no view has caught.  A database that is away for a moment is no fault: whoever asked comes again."""
    response: HttpResponse = fault(request)
    if is_away(sys.exc_info()[1]):
        response.status_code = 503
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response
