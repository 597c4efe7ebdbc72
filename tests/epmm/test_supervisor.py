import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.epmm.processes import ROOT, eventually, is_alive

SUPERVISOR = """
import asyncio, json, sys
from pathlib import Path
from epmm.supervisor import Child, Timing, prefixed, supervise

timing = Timing(first_pause=0.05, longest_pause=0.2, settled=float(sys.argv[1]), grace=float(sys.argv[3]))
children = [Child(name=name, command=command, directory=Path.cwd()) for name, command in json.loads(sys.argv[2])]
asyncio.run(supervise(children, say=prefixed(6), timing=timing))
print("supervisor left", flush=True)
"""
# Says its process id, and on SIGTERM that it ends; `argument` changes its ways.
CHILD = """
import os, signal, subprocess, sys, time
name, way = sys.argv[1:]
def end(*_):
    print(name, "ends", flush=True)
    if way != "stubborn":
        time.sleep(0.2)
        print(name, "ended", flush=True)
        sys.exit(0)
signal.signal(signal.SIGTERM, end)
if way == "parent":
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("helper is", helper.pid, flush=True)
if way == "talkative":
    print("x" * 200_000, flush=True)
print(name, "is", os.getpid(), flush=True)
while way != "fails":
    time.sleep(0.05)
"""


class Supervised:
    """A supervisor in a process of its own, with the children asked for."""

    def __init__(self, directory: Path, *, settled: float = 60, grace: float = 60, **ways: str) -> None:
        (directory / "child.py").write_text(CHILD)
        self._log = directory / "log"
        commands = [
            (name, [sys.executable, "-m", "epmm.lifeline", "child", name, way] if way != "absent" else ["./absent"])
            for name, way in ways.items()
        ]
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-c", SUPERVISOR, str(settled), json.dumps(commands), str(grace)],
                cwd=directory,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def pids(self, name: str) -> list[int]:
        return [int(number) for number in re.findall(rf"\| {name} is (\d+)\n", self.log)]

    def pid(self, name: str, *, start: int = 1) -> int:
        eventually(lambda: len(self.pids(name)) >= start)
        return self.pids(name)[start - 1]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[list[Supervised]]:
    """Put supervisors here: whatever a test did, nothing of them is left."""
    started: list[Supervised] = []
    yield started
    for each in started:
        each.process.kill()
        each.process.wait()


def test_a_killed_child_is_started_again(tmp_path: Path, running: list[Supervised]) -> None:
    running.append(up := Supervised(tmp_path, first="plain", second="plain"))
    second = up.pid("second")
    os.kill(up.pid("first"), signal.SIGKILL)

    assert is_alive(up.pid("first", start=2))
    assert is_alive(second)
    assert "up     | first was killed by SIGKILL; starting it again in 0.05 s" in up.log


def test_children_stop_in_order(tmp_path: Path, running: list[Supervised]) -> None:
    running.append(up := Supervised(tmp_path, first="plain", second="plain"))
    pids = [up.pid("first"), up.pid("second")]

    assert up.stop() == 0
    assert re.findall(r"(\w+ end\w+|supervisor left)", up.log) == [
        "first ends",
        "first ended",
        "second ends",
        "second ended",
        "supervisor left",
    ]
    assert not any(map(is_alive, pids))


def test_a_child_that_does_not_want_to_end_is_killed(tmp_path: Path, running: list[Supervised]) -> None:
    running.append(up := Supervised(tmp_path, grace=8, first="stubborn"))
    child = up.pid("first")

    assert up.stop() == 0
    assert "first ends" in up.log
    assert not is_alive(child)


def test_a_killed_supervisor_leaves_no_orphan(tmp_path: Path, running: list[Supervised]) -> None:
    running.append(up := Supervised(tmp_path, first="plain", second="parent"))
    pids = [up.pid("first"), up.pid("second"), up.pid("helper")]
    up.process.kill()

    eventually(lambda: not any(map(is_alive, pids)))


def test_what_a_dead_child_leaves_in_its_group_ends_too(tmp_path: Path, running: list[Supervised]) -> None:
    running.append(up := Supervised(tmp_path, first="parent"))
    helper = up.pid("helper")
    os.kill(up.pid("first"), signal.SIGKILL)

    eventually(lambda: not is_alive(helper))


def test_a_child_that_keeps_dying_is_given_longer_and_longer_pauses(tmp_path: Path, running: list[Supervised]) -> None:
    running.append(up := Supervised(tmp_path, first="fails"))
    up.pid("first", start=5)

    pauses = re.findall(r"first ended with status 0; starting it again in ([\d.]+) s", up.log)
    assert pauses[:4] == ["0.05", "0.1", "0.2", "0.2"]


def test_a_child_that_lived_long_enough_starts_again_soon(tmp_path: Path, running: list[Supervised]) -> None:
    running.append(up := Supervised(tmp_path, settled=0, first="fails"))
    up.pid("first", start=4)

    assert set(re.findall(r"again in ([\d.]+) s", up.log)) == {"0.05"}


def test_a_program_that_cannot_start_is_tried_again(tmp_path: Path, running: list[Supervised]) -> None:
    running.append(up := Supervised(tmp_path, first="plain", second="absent"))
    up.pid("first")

    eventually(lambda: up.log.count("second did not start") > 1)
    assert up.stop() == 0


def test_a_line_without_end_does_not_stop_the_stream(tmp_path: Path, running: list[Supervised]) -> None:
    running.append(up := Supervised(tmp_path, first="talkative"))

    assert up.pid("first")
    assert "first  | [a line too long to show]\n" in up.log
