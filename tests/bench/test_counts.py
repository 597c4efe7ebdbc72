"""The gate: what a connect costs PostgreSQL is counted, with real processes and default durability, and never timed."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.epmm.processes import ROOT

pytestmark = pytest.mark.service("postgresql")
SCENARIOS = ("idle-empty", "idle-one", "ack-8k", "history-0", "history-10000")
# Each batch says for itself how long it may take, on its own a request is a batch: both go out together, as a pipeline
# of which PostgreSQL answers all at once, so it is one round trip all the same.
STATEMENTS = 2
DEVICES = 60
PASSED_OVER = re.compile(r"Rows Removed by (?:Join )?Filter: (\d+)")


@pytest.fixture(scope="module")
def told() -> Any:
    chosen = [f"--scenario={name}" for name in SCENARIOS]
    options = ["--rounds=0", "--requests=50", f"--devices={DEVICES}", "--history-devices=4", "--json"]
    command = [sys.executable, "-m", "bench", "connect", *chosen, *options]
    return json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=300).stdout)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_request_is_one_round_trip_and_one_commit(told: Any, scenario: str) -> None:
    (counts,) = [each for each in told["counts"] if each["scenario"] == scenario]

    assert counts["round_trips"] == 1
    assert counts["statements"] == STATEMENTS
    # PostgreSQL's own processes commit and synchronize a few times meanwhile
    assert 1 <= counts["commits"] < 1.2
    assert counts["fsyncs"] < 1.2


def test_finished_commands_cost_nothing(told: Any) -> None:
    """Not the plan alone: each of its steps meets as many rows, but for where a device stands among the few others."""
    plan = told["plans"]["history-10000"]

    assert PASSED_OVER.sub("", plan) == PASSED_OVER.sub("", told["plans"]["history-0"])
    assert all(int(number) < DEVICES for number in PASSED_OVER.findall(plan))
    assert "devices_finishedcommand" not in plan
    assert "Seq Scan" not in plan


def test_what_was_measured_is_said(told: Any) -> None:
    assert "without TLS" in told["conditions"]
    assert "fsync=on, synchronous_commit=on" in told["database"]
