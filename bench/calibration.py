"""How fast this machine is just now: the same work wherever the bench runs."""

import os
import plistlib
import time
from typing import Final

REFERENCE: Final = 19.0  # microseconds, where the budgets were set
_TIMES: Final = 2000


def plistlib_microseconds() -> float:
    """The second of two runs: a processor that has slept takes three times as long at first."""
    message = plistlib.dumps({"UDID": "00008140-0000000000000000", "Status": "Idle"})
    for _ in range(2):
        start = time.process_time()
        for _ in range(_TIMES):
            plistlib.loads(message)
        seconds = time.process_time() - start
    return seconds / _TIMES * 1e6


def line() -> str:
    here = plistlib_microseconds()
    return f"plistlib reads an idle message in {here:.0f} us; {REFERENCE:.0f} where the budgets were set"


def load() -> str:
    one, five, _ = os.getloadavg()
    return f"{one:.1f} in the last minute, {five:.1f} in the last five, on {os.cpu_count()} cores"
