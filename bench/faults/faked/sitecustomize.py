"""For processes under libfaketime 0.9.10, whose clock_nanosleep fails where Python sleeps until a moment (3.11)."""

import select
import time


def _sleep(seconds: float) -> None:
    select.select([], [], [], seconds)


time.sleep = _sleep  # type: ignore[assignment] # its name for the argument is hidden
