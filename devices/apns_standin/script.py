"""What the stand-in is told to do otherwise than accept."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_ANSWER: Final = re.compile(r"(?P<token>([0-9a-f]{2})+)=(none|(?P<status>[2-5]\d\d)(:(?P<reason>\w+))?(:(?P<at>\d+))?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status` 0: none at all."""

    status: int = 200
    reason: str = ""
    timestamp: int | None = None  # milliseconds; None: now, where Apple gives one


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    answers: Mapping[str, Answer] = field(default_factory=dict)  # by token, as hex
    streams: int = 1000
    first_streams: int = 1  # until the first good push, as APNs does
    delay: float = 0.0
    goaway_after: int = 0  # so many requests of a connection are answered, those after them are not
    goaway_reason: str = ""
    reset_every: int = 0
    drop_after: int = 0  # requests, then the line is cut


class UnreadableAnswer(ValueError):
    """Not `TOKENHEX=STATUS[:REASON[:MILLISECONDS]]` nor `TOKENHEX=none`."""


def read_answers(lines: Iterable[str]) -> dict[str, Answer]:
    return dict(map(_read, filter(None, map(str.strip, lines))))


def _read(line: str) -> tuple[str, Answer]:
    if (found := _ANSWER.fullmatch(line)) is None:
        raise UnreadableAnswer(f"{line[:100]!r} is not TOKENHEX=STATUS[:REASON[:MILLISECONDS]] or TOKENHEX=none")
    at = found["at"]
    return found["token"], Answer(
        status=int(found["status"] or 0), reason=found["reason"] or "", timestamp=int(at) if at else None
    )
