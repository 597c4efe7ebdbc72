"""How fast this machine is just now: the same work wherever the bench runs."""

import os
import plistlib
import time
from typing import Final

REFERENCE: Final = 19.0  # microseconds, where the budgets were set
_TIMES: Final = 5000


def plistlib_microseconds() -> float:
    message = plistlib.dumps({"UDID": "00008140-0000000000000000", "Status": "Idle"})
    start = time.process_time()
    for _ in range(_TIMES):
        plistlib.loads(message)
    return (time.process_time() - start) / _TIMES * 1e6


def line() -> str:
    here = plistlib_microseconds()
    return f"plistlib reads an idle message in {here:.0f} us; {REFERENCE:.0f} where the budgets were set"


def load() -> str:
    one, five, _ = os.getloadavg()
    return f"{one:.1f} in the last minute, {five:.1f} in the last five, on {os.cpu_count()} cores"
