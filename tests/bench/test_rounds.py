"""The rounds themselves, as short as can be: on SQLite, and with the client that needs nothing installed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import scenarios, yardstick
from bench.recorded import Recorded
from bench.rounds import Match, Round, ratio
from tests.epmm.processes import ROOT

pytestmark = pytest.mark.service("sqlite")


def bench(*options: str, path: Path) -> Any:
    command = [sys.executable, "-m", "bench", *options, "--json"]
    environment = {"PATH": str(path)}  # wrk is not there
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, timeout=300)
    return json.loads(done.stdout)


def test_a_round_checks_its_answers_and_tells_its_figures(tmp_path: Path) -> None:
    shape = ("--rounds=1", "--seconds=1", "--concurrency", "32", "--devices=50")
    told = bench("connect", "--database=sqlite", "--scenario=ack-8k", *shape, path=tmp_path)

    (played,) = told["rounds"]
    assert (played["scenario"], played["concurrency"], played["budget_cpu"]) == ("ack-8k", 32, 450)
    assert played["epmm"]["per_second"]["low"] > 0
    assert played["epmm"]["cpu"]["median"] == played["epmm"]["app"]["median"]
    assert {"cpu", "per_second"} == played["noise"].keys()
    assert "not measured in this run" in told["recorded"]
    assert played["recorded"] == {}  # without wrk nobody knows how fast this machine is
    memory = told["memory"]["epmm"]
    assert len(memory["after_rounds"]) >= 3  # the one that warms up, and A A
    assert min(memory["before"], *memory["after_rounds"]) > 10
    assert memory["requests"] > 0
    assert scenarios.BY_NAME["mdm-signature"].budget == {}


@pytest.mark.service("wrk")
def test_an_empty_answer_takes_some_microseconds(tmp_path: Path) -> None:
    with yardstick.running(tmp_path, dict(os.environ), seconds=1) as empty:
        assert empty is not None
        assert 1 < empty.microseconds() < 10_000


def test_what_is_recorded_is_compared_with_as_if_on_this_machine() -> None:
    recorded = Recorded({"cpu_empty_and_requests_per_second": {"idle-one": {"2": [100, 26, 3000]}}})

    ratios = recorded.ratios("idle-one", 2, cpu=100, per_second=1000, empty=52)
    assert ratios["ratio_cpu"] == 2
    assert ratios["ratio_rps"] == pytest.approx(2 / 3)
    assert recorded.ratios("idle-one", 3, cpu=100, per_second=1000, empty=52) == {}


def played(*cpu: float) -> list[Round]:
    return [Round(per_second=1000 / each, p50=1, p99=2, app=each, database=0, statements=1, empty=52) for each in cpu]


def test_noise_is_the_same_server_twice() -> None:
    match = Match(first=played(100, 104, 120), last=played(80, 52), peer=played(400))

    assert match.peer[0].cpu_there == 200
    assert match.noise["cpu"] == pytest.approx(104 / 66)
    assert ratio(match.peer, match.ours, "cpu") == 4
    assert ratio(match.ours, match.peer, "per_second") == pytest.approx(4)
