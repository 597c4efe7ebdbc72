"""One line a record, on standard error: as text, or as JSON.

The formatters are the last guard against a secret in a log: what stands under a name listed here is never written.
"""

import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

from epmm import metrics, request_id

NEVER_LOGGED: Final = frozenset(
    {"access_token", "token", "password", "pin", "challenge", "unlock_token", "bootstrap_token", "push_magic", "body"}
)
LINES: Final = 256
PAUSE_SECONDS: Final = 0.1

# No line of ours names them, and looking them up costs a tenth of an idle connect.
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
logging._srcfile = None  # noqa: SLF001 -- Python's HOWTO says so
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class BufferedHandler(logging.StreamHandler):  # type: ignore[type-arg] # not generic when it runs
    """Writes INFO lines together, a tenth of a second late at most; from WARNING on at once, with all before it.

    A write lets another thread run: done for each line, that cost the device door more than all else in a connect.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._writer: threading.Thread | None = None
        self._ended = threading.Event()

    def close(self) -> None:
        self._ended.set()
        super().close()

    def emit(self, record: logging.LogRecord) -> None:  # the caller holds the lock
        try:
            self._lines.append(self.format(record) + self.terminator)
        except Exception:  # noqa: BLE001 -- a line that cannot be made must not end what it speaks of
            self.handleError(record)
            return
        if record.levelno >= logging.WARNING:
            self.flush()
        else:
            self._write_soon()

    def _write_soon(self) -> None:
        if len(self._lines) >= LINES:
            self.flush()
        elif self._writer is None:
            self._writer = threading.Thread(target=self._write_later, name="log", daemon=True)
            self._writer.start()

    def say(self, logger: str, message: str, about: Mapping[str, Any], name: str) -> None:
        """An INFO line; a record of `logging` around it costs four times as much as the line."""
        line = self.formatter.line(time.time(), "INFO", logger, message, about, name)  # type: ignore[union-attr] # see inform
        with self.lock:  # type: ignore[union-attr] # there is one
            self._lines.append(line + self.terminator)
            self._write_soon()

    def flush(self) -> None:
        """A full disk, or a reader that is gone, costs the lines: whoever spoke goes on with its work."""
        self.acquire()
        try:
            lines, self._lines = self._lines, []
            with suppress(OSError, ValueError):
                if lines:
                    self.stream.write("".join(lines))
                super().flush()
        finally:
            self.release()

    def _write_later(self) -> None:
        while not self._ended.wait(PAUSE_SECONDS):
            if self._lines:
                self.flush()


class AddressFilter(logging.Filter):
    """For Django's own lines about failed requests: the path of a sign-in holds its state."""

    def filter(self, record: logging.LogRecord) -> bool:
        vars(record).pop("request", None)
        if isinstance(record.args, tuple) and len(record.args) > 1:
            reason, path, *rest = record.args
            record.args = (reason, metrics.endpoint(str(path)), *rest)
        return True


class LineFormatter(logging.Formatter):
    """`time level logger: message key=value ...`; the keys come from `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        said, about, name = record.getMessage(), dict(_extras(record)), request_id.current()
        line = self.line(record.created, record.levelname, record.name, said, about, name)
        trace = _trace(self, record)
        return f"{line}\n{trace}" if trace else line

    def line(self, at: float, level: str, logger: str, message: str, about: Mapping[str, Any], name: str) -> str:
        second = int(at)
        line = f"{_second(second)},{int((at - second) * 1000):03d} {level} {logger}: {message}"
        for key, value in about.items():
            line = f"{line} {key}={value}"
        if name:
            line = f"{line} request_id={name}"
        return line if line.isprintable() else "".join(map(_printable, line))


class JsonFormatter(logging.Formatter):
    """One object a line; the keys of `extra` stand beside our own and never replace them."""

    def format(self, record: logging.LogRecord) -> str:
        about = dict(_extras(record))
        if trace := _trace(self, record):
            about["traceback"] = trace
        said, name = record.getMessage(), request_id.current()
        return self.line(record.created, record.levelname, record.name, said, about, name)

    def line(self, at: float, level: str, logger: str, message: str, about: Mapping[str, Any], name: str) -> str:
        second = int(at)
        own = {
            "time": f"{_second(second).replace(' ', 'T')}.{int((at - second) * 1000):03d}Z",
            "level": level,
            "logger": logger,
            "message": message,
        }
        if name:
            own["request_id"] = name
        return json.dumps({**about, **own}, default=str)


def inform(logger: logging.Logger, message: str, about: Mapping[str, Any], name: str) -> None:
    """`logger.info(message, extra=about)` under the request id `name`, for who speaks thousands of times a second.

    `about` is the speaker's own: nothing of it is hidden.
    """
    handlers = logging.root.handlers
    if len(handlers) == 1 and type(handlers[0]) is BufferedHandler and logger.isEnabledFor(logging.INFO):
        handlers[0].say(logger.name, message, about, name)
    else:
        with request_id.known_as(name):
            logger.info("%s", message, extra=about)


@lru_cache(maxsize=4)
def _second(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))


def _extras(record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
    given = vars(record)
    if given.keys() <= _STANDARD:  # nearly always
        return
    for key in sorted(given.keys() - _STANDARD):
        yield key, "[hidden]" if key.lower() in NEVER_LOGGED else given[key]


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    if record.exc_info:
        return formatter.formatException(record.exc_info)
    return formatter.formatStack(record.stack_info) if record.stack_info else ""


def _printable(character: str) -> str:
    """A device names itself: its line break must not begin a line of our log."""
    return character if character.isprintable() else character.encode("unicode_escape").decode()
