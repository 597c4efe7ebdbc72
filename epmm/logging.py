"""One line a record, on standard error.

The formatter is the last guard against a secret in a log: what stands under a name listed here is never written.
"""

import logging
from typing import Final

NEVER_LOGGED: Final = frozenset(
    {"access_token", "token", "password", "pin", "challenge", "unlock_token", "bootstrap_token", "push_magic", "body"}
)
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LineFormatter(logging.Formatter):
    """`time level logger: message key=value ...`; the keys come from `extra`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        extras = [
            f"{key}={'[hidden]' if key.lower() in NEVER_LOGGED else value}"
            for key, value in sorted(vars(record).items())
            if key not in _STANDARD
        ]
        line = " ".join([super().formatMessage(record), *extras])
        return line if line.isprintable() else "".join(map(_printable, line))


def _printable(character: str) -> str:
    """A device names itself: its line break must not begin a line of our log."""
    return character if character.isprintable() else character.encode("unicode_escape").decode()
