"""What the processes wrote since it was last read: no traceback may stand there that the fault does not explain.

And nothing that was set aside, which no fault explains.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_TRACEBACK: Final = "Traceback (most recent call last):"
_RECORD: Final = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
SET_ASIDE: Final = "cannot be read"  # as devices/services say it of an answer and of a report
OURS: Final = ("gateway-*.log", "web.log", "worker-*.log")


class Logs:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._read: dict[Path, int] = {}

    def unexplained(self, explains: Sequence[str]) -> list[str]:
        found: list[str] = []
        for path, text in self._news():
            wrong = [ending for ending in endings(text) if not _is_explained(ending, explains)]
            wrong += [line for line in text.splitlines() if SET_ASIDE in line]
            found += [f"{path.name}: {each}" for each in wrong]
        return found

    def _news(self) -> Iterator[tuple[Path, str]]:
        for pattern in OURS:
            for path in sorted(self._directory.glob(pattern)):
                with path.open("rb") as log:
                    log.seek(self._read.get(path, 0))
                    yield path, log.read().decode(errors="replace")
                    self._read[path] = log.tell()


def endings(text: str) -> Iterator[str]:
    """The last line of each traceback: of a chain of them, that of the last one, which is what was raised."""
    lines = iter([*text.splitlines(), ""])
    in_trace, last = False, ""
    for line in lines:
        if line == _TRACEBACK:
            in_trace, last = True, ""
        elif in_trace and line and not line.startswith(" ") and not _RECORD.match(line) and not last:
            last = line
        elif in_trace and last and line and not line.startswith((" ", "\t")) and not _continues(line):
            yield last
            in_trace = False
    if in_trace and last:
        yield last


def _continues(line: str) -> bool:
    return line.startswith(("The above exception", "During handling"))


def _is_explained(ending: str, explains: Sequence[str]) -> bool:
    return any(each in ending for each in explains)
