"""Work that takes long is done in turns, so that what has come since waits for seconds and not for hours."""

import time
from typing import Any, Final

from epmm.models import Job

SECONDS: Final = 10.0


class Turn:
    """Begun by a handler that can be broken off after each of its steps, and goes on where it was."""

    def __init__(self, kind: str, **arguments: Any) -> None:
        self._kind, self._arguments = kind, arguments
        self._until = time.monotonic() + SECONDS

    def is_over(self) -> bool:
        """Asked after each step.  True: what is left of it stands at the end of the queue, and the handler returns."""
        if time.monotonic() < self._until:
            return False
        Job.enqueue(self._kind, **self._arguments)
        return True
