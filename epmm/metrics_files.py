"""Where the processes of one machine keep their figures, so that any of them can answer for all.

Each process holds one numbered place: `gateway-0`, `gateway-1`, `web-0`.  One that is started again takes the place
that is free and counts on from there: a restart is no dip in a counter.  Who finds nobody else at work begins anew.

Nothing here may import prometheus_client, which looks for the directory once, when it is imported.
"""

import fcntl
import os
from pathlib import Path
from typing import Final

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
PLACE: Final = "EPMM_METRICS_PLACE"
PLACES: Final = 256
_held: Final[list[int]] = []  # as long as this process lives


def begin(role: str, directory: Path) -> str:
    """Take a place for this process and say which; before anything that counts is imported."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _join(directory)
    place = next(name for name in (f"{role}-{number}" for number in range(PLACES)) if _take(directory / f"{name}.lock"))
    for stale in directory.glob(f"gauge_*_{place}.db"):  # of a predecessor that was killed
        stale.unlink(missing_ok=True)
    os.environ[VARIABLE] = str(directory)
    os.environ[PLACE] = place
    return place


def _join(directory: Path) -> None:
    everyone = os.open(directory / "everyone.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(everyone, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        for old in directory.glob("*.db"):
            old.unlink(missing_ok=True)
    fcntl.flock(everyone, fcntl.LOCK_SH)  # waits for one that is clearing up
    _held.append(everyone)


def _take(path: Path) -> bool:
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    _held.append(lock)
    return True
