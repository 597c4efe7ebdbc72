"""One name for all that a request causes: its log lines, its answer, and the jobs that it leaves to the worker."""

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

LONGEST: Final = 64
_WELL_FORMED: Final = re.compile(rf"[A-Za-z0-9._-]{{8,{LONGEST}}}")

_current: Final[ContextVar[str]] = ContextVar("request_id", default="")
current: Final = _current.get
adopt: Final = _current.set


def new() -> str:
    return f"{random.getrandbits(64):016x}"  # a name, no secret: the system need not be asked


def given(value: str) -> str:
    """What a proxy of ours calls the request, when that can stand in a log; else a name of our own."""
    return value if _WELL_FORMED.fullmatch(value) else new()


@contextmanager
def known_as(name: str) -> Iterator[None]:
    """While the block runs; without a name it runs under none."""
    before = adopt(name)
    try:
        yield
    finally:
        _current.reset(before)
