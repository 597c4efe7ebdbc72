"""How fast this machine serves just now: a bare uvicorn that answers nothing, asked for a second before and after.

`plistlib` (calibration.py) has a core for itself.  A server shares the cores with its client and its database, and much
of what it costs is the kernel's: machines on which plistlib takes the same time differ by half there.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench import processes
from bench.load import HAS_WRK
from bench.processes import Running
from bench.site import HERE
from tests.ports import free_port

REFERENCE: Final = 26.0  # microseconds of processor time for each answer, 32 at once, where the budgets were set
_AT_ONCE: Final = 32


@dataclass(frozen=True, slots=True)
class Yardstick:
    server: Running
    seconds: int

    def microseconds(self) -> float:
        used = self.server.cpu()
        command = ["wrk", "-t1", f"-c{_AT_ONCE}", f"-d{self.seconds}", self.server.url]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        answered = re.search(r"(\d+) requests in", said)
        return (self.server.cpu() - used) * 1e6 / int(answered[1]) if answered else 0.0


@contextmanager
def running(directory: Path, environment: Mapping[str, str], *, seconds: int) -> Iterator[Yardstick | None]:
    """None where there is no wrk: the other client takes as long as what it measures."""
    if not (HAS_WRK and seconds):
        yield None
        return
    port = free_port()
    words = [sys.executable, "-m", "uvicorn", "bench.empty:app", "--port", str(port)]
    words += ["--no-access-log", "--log-level", "error"]
    url = f"http://{HERE}:{port}/"
    with processes.running(words, environment=environment, log=directory / "empty.log", url=url) as server:
        yield Yardstick(server, seconds)
