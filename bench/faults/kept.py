"""A process that is started again when it ends, a moment later, as systemd does with the units of `deploy/`."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from bench.processes import STOP_SECONDS, descendants
from bench.site import ROOT

PAUSE: Final = 1.0  # RestartSec= of the units
START_SECONDS: Final = 60
# The socket becomes descriptor 3, and the process is told that it is meant (sd_listen_fds(3)).
_LAUNCH: Final = """
import os, sys
os.dup2(int(sys.argv[1]), 3, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


class Kept:
    """With a `listener`, whoever connects while it is away waits in the backlog."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        listener: socket.socket | None = None,
        directory: Path = ROOT,
        account: str | None = None,
        farewell: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name, self.log, self.pause = name, log, PAUSE
        self.extra: dict[str, str] = {}  # in the environment of the next start
        self.given: dict[str, str] = {}  # in that of the last one
        self.largest_file: int | None = None
        self.starts = 0
        self._command, self._environment = list(command), dict(environment)
        self._directory = directory
        self._listener, self._account, self._farewell = listener, account, farewell
        self._ended = threading.Event()
        self._start()
        self._keeper = threading.Thread(target=self._keep, name=f"keeper of {name}", daemon=True)
        self._keeper.start()

    @property
    def pids(self) -> list[int]:
        return descendants(self._process.pid)

    def kill(self, *, pause: float = PAUSE) -> None:
        """The process and all that it started, with SIGKILL; returns when its successor has begun."""
        self._end(signal.SIGKILL, self.pids, pause)

    def restart(self) -> None:
        """In good order."""
        self._end(self._farewell, [self._process.pid], 0)

    def limit_files(self, size: int | None) -> None:
        """What any file may grow to, for all that runs and all that starts: SIGXFSZ is ignored, and a write fails."""
        self.largest_file = size
        limited: set[int] = set()
        while found := [pid for pid in self.pids if pid not in limited]:  # one that was begun meanwhile inherits
            for pid in found:
                self._limit(pid)
            limited.update(found)

    def part(self) -> None:
        """It is told to end, and comes back no more."""
        self._ended.set()
        _send(self._process.pid, self._farewell)

    def close(self) -> None:
        self.part()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS)
        for pid in self.pids:
            _send(pid, signal.SIGKILL)
        self._keeper.join()

    def _end(self, number: signal.Signals, pids: Sequence[int], pause: float) -> None:
        before, self.pause = self.starts, pause
        for pid in pids:
            _send(pid, number)
        deadline = time.monotonic() + pause + START_SECONDS
        while self.starts == before:
            if time.monotonic() > deadline:
                raise SystemExit(f"{self.name} did not end")
            time.sleep(0.02)

    def _keep(self) -> None:
        while True:
            self._process.wait()
            if self._ended.wait(self.pause):
                return
            self.pause = PAUSE
            self._start()

    def _start(self) -> None:
        number = self._listener.fileno() if self._listener else None
        command = self._command if number is None else [sys.executable, "-c", _LAUNCH, str(number), *self._command[1:]]
        self.given = self.extra
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                env=self._environment | self.extra,
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=() if number is None else (number,),
                user=self._account,
                group=self._account,
                start_new_session=True,
            )
        if self.largest_file is not None:
            self._limit(self._process.pid)
        self.starts += 1

    def _limit(self, pid: int) -> None:
        """By prlimit(1), as its own account: root of a container may not do this to others."""
        size = "unlimited" if self.largest_file is None else str(self.largest_file)
        command = ["prlimit", f"--pid={pid}", f"--fsize={size}:unlimited"]
        # one that has just ended is no matter
        subprocess.run(command, user=self._account, group=self._account, check=False, capture_output=True)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
