"""The processes that are measured: started, waited for, stopped, and what they use of processor and memory."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from bench.site import HERE, ROOT, Site
from tests.ports import free_port

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PROC: Final = Path("/proc")
_STATE, _PARENT, _SESSION, _USER, _SYSTEM = 0, 1, 3, 11, 12  # of /proc/PID/stat behind the name, see proc(5)
_USER_OF_ENDED, _SYSTEM_OF_ENDED = 13, 14  # children
START_SECONDS: Final = 60
UP_SECONDS: Final = 90
STOP_SECONDS: Final = 20
_STDERR: Final = 2


@dataclass(frozen=True, slots=True)
class Running:
    """A process with all that it started."""

    url: str
    process: subprocess.Popen[bytes]

    @property
    def pids(self) -> list[int]:
        return [pid for pid, fields in _all() if int(fields[_SESSION]) == self.process.pid]

    def cpu(self) -> float:
        return sum(cpu_seconds(self.pids).values())

    def megabytes(self) -> float:
        return sum(map(resident_megabytes, self.pids))

    def peak_megabytes(self) -> float:
        return sum(resident_megabytes(pid, "VmHWM:") for pid in self.pids)

    def forget_peak(self) -> None:
        """See proc(5), clear_refs."""
        for pid in self.pids:
            (_PROC / str(pid) / "clear_refs").write_text("5")


@contextmanager
def running(
    command: Sequence[str] | str, *, environment: Mapping[str, str], log: Path, url: str = ""
) -> Iterator[Running]:
    """Until the block ends.  With `url`, it begins when somebody listens there; a string is one for the shell."""
    # SIGTERM goes to the shell too, which waits for what it runs and so must not end before it
    words = ["/bin/sh", "-c", f"trap : TERM\n{command}"] if isinstance(command, str) else command
    with log.open("ab") as output:
        process = subprocess.Popen(
            words, env=dict(environment), cwd=ROOT, stdout=output, stderr=output, start_new_session=True
        )
    try:
        if url:
            _wait_until_listening(url, process, log)
        yield Running(url, process)
    finally:
        _stop(process, os.killpg if isinstance(command, str) else os.kill)


@contextmanager
def gateway(site: Site, database_url: str) -> Iterator[Running]:
    """A device door behind a proxy: no TLS."""
    environment = {**site.environment, **({"EPMM_DATABASE_URL": database_url} if database_url else {})}
    with _serving("gateway", "/mdm/connect", site, environment) as started:
        yield started


@contextmanager
def web(site: Site) -> Iterator[Running]:
    """Portal and API, in the same way."""
    with _serving("web", "/", site, site.environment) as started:
        yield started


@contextmanager
def _serving(command: str, path: str, site: Site, environment: Mapping[str, str]) -> Iterator[Running]:
    port = free_port()
    words = [sys.executable, "manage.py", command, "--bind", f"{HERE}:{port}"]
    log = site.directory / f"{command}.log"
    with running(words, environment=environment, log=log, url=f"http://{HERE}:{port}{path}") as started:
        yield started


def run_hook(command: str, environment: Mapping[str, str], lines: Iterable[str] = ()) -> None:
    """A command of whoever measures; `lines` are its input, and what it says does not stand among the figures."""
    words = ["/bin/sh", "-c", command]
    done = subprocess.run(
        words, env=dict(environment), cwd=ROOT, input="".join(lines), stdout=_STDERR, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{shlex.split(command)[0]} ended with status {done.returncode}")


def cpu_seconds(pids: Iterable[int]) -> dict[int, float]:
    """Of those that still run and run here, since their start."""
    fields = {pid: _stat(pid) for pid in pids}
    return {pid: (int(f[_USER]) + int(f[_SYSTEM])) / _TICKS for pid, f in fields.items() if f}


def seconds_of_ended(sibling: int) -> float:
    """What those have used that its parent has started and that are over; 0 where it runs elsewhere."""
    own = _stat(sibling)
    fields = _stat(int(own[_PARENT])) if own else []
    return (int(fields[_USER_OF_ENDED]) + int(fields[_SYSTEM_OF_ENDED])) / _TICKS if fields else 0.0


def resident_megabytes(pid: int, line: str = "VmRSS:") -> float:
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except FileNotFoundError:
        return 0.0
    return int(status.partition(line)[2].split()[0] if line in status else 0) / 1024


def descendants(pid: int) -> list[int]:
    """A process that runs, and what it started; also where that has a session of its own, as PostgreSQL's have."""
    parents = {child: int(fields[_PARENT]) for child, fields in _all() if fields[_STATE] != "Z"}
    found = [pid] if pid in parents else []
    for parent in found:
        found += [child for child, its in parents.items() if its == parent]
    return found


def _all() -> Iterator[tuple[int, list[str]]]:
    for entry in _PROC.iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            yield int(entry.name), fields


def _stat(pid: int) -> list[str]:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _wait_until_listening(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    parts, deadline = urlsplit(url), time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((parts.hostname or HERE, parts.port or 80), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"nothing listens at {url}:\n{log.read_text()[-2000:]}")


def until_up(log: Path) -> str:
    """What `manage.py up` has said, once it answers."""
    deadline = time.monotonic() + UP_SECONDS
    while "| ready after" not in (said := log.read_text()):
        if time.monotonic() > deadline:
            raise SystemExit(f"`manage.py up` is not ready:\n{said}")
        time.sleep(0.02)
    return said


def _stop(process: subprocess.Popen[bytes], kill: Callable[[int, int], None]) -> None:
    with suppress(ProcessLookupError):
        kill(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # also what it left behind
    process.wait()
