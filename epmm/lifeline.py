"""No orphans: a child of the supervisor ends when the supervisor does, even if that was killed.

The supervisor holds the other end of the child's standard input and never writes to it.  The kernel closes that end
whatever the supervisor died of, on Linux and on macOS; the parent-death signal of Linux would not do for both.

`python -m epmm.lifeline MODULE [ARGUMENT]...` runs a module as a program that hangs on such a line.
"""

import os
import runpy
import signal
import sys
import threading
import time
from typing import Final

GRACE_SECONDS: Final = 20.0


def hold(grace: float = GRACE_SECONDS) -> None:
    """Watch standard input from a thread; at its end, end the whole process group, politely first."""
    if os.getpgrp() != os.getpid():
        raise RuntimeError("only the leader of a process group may hold its lifeline")
    threading.Thread(target=_end_with_supervisor, args=(grace,), name="lifeline", daemon=True).start()


def _end_with_supervisor(grace: float) -> None:
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    time.sleep(grace)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    hold()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
