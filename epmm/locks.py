"""A lock file: held as long as one process has it open, gone with the last of them however it died."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_POLL_SECONDS: Final = 0.1


class LockedError(Exception):
    """Another process holds the lock."""


@contextmanager
def held(path: Path, *, wait: float = 0.0) -> Iterator[int]:
    """Hold the lock; yield its descriptor.  A child that inherits the descriptor holds the lock too."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(descriptor, until=time.monotonic() + wait)
        yield descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, *, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= until:
                raise LockedError from error
            time.sleep(_POLL_SECONDS)
        else:
            return
