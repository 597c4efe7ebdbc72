"""What a start takes: `manage.py up` on an empty data directory until it answers, and again on the same data."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

from bench import calibration, site, telling
from bench.processes import cpu_seconds, descendants, running, until_up
from bench.site import HERE, HOST
from bench.telling import Telling
from tests.ports import free_port

BUDGETS: Final = {"first": 60, "later": 3}  # seconds; the first with the virtual environment, which is there already


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5, help="each on a data directory of its own")
    telling.add_argument(parser)


def main(options: argparse.Namespace) -> None:
    about = {"calibration": calibration.line(), "load": calibration.load()}
    told = Telling(as_json=options.json, **about)
    told.say(f"SQLite\n{about['calibration']}\nload: {about['load']}\n")
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in BUDGETS}
    for _ in range(options.rounds):
        with site.scratch() as directory:
            port = free_port()
            for starts in taken.values():
                starts.append(_start(directory, port))
    for name, starts in taken.items():
        _tell(name, *zip(*starts, strict=True), told=told)
    told.end()


def _tell(name: str, seconds: Sequence[float], cpu: Sequence[float], *, told: Telling) -> None:
    middle, low, high, used = median(seconds), min(seconds), max(seconds), median(cpu)
    line = f"{name} start: {middle:.1f} s ({low:.1f} to {high:.1f}), CPU {used:.1f} s; budget {BUDGETS[name]} s\n"
    told.figure(line, name=name, seconds=middle, low=low, high=high, cpu_seconds=used, budget=BUDGETS[name])


def _start(directory: Path, port: int) -> tuple[float, float]:
    """Seconds until its front door answers, and of processor time; then it is ended."""
    log = directory / "up.log"
    log.unlink(missing_ok=True)
    where = ["--data", str(directory / "data"), "--public-url", f"https://{HOST}:{port}", "--host", HERE]
    began = time.perf_counter()
    with running([sys.executable, "manage.py", "up", *where], environment=site.without_settings(), log=log) as started:
        until_up(log)
        seconds = time.perf_counter() - began
        cpu = sum(cpu_seconds(descendants(started.process.pid)).values())
    if started.process.returncode:
        raise SystemExit(f"it did not end as it should:\n{log.read_text()[-2000:]}")
    return seconds, cpu
