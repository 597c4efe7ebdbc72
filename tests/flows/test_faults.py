"""The fault harness in brief: each fault once, while devices work; docs/faults.md tells of the long form."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import services
from tests.epmm.processes import ROOT

pytestmark = pytest.mark.long
SECONDS = 1500  # longer than its own patience, after which it says what it waited for
WITHOUT_CLOCK = ("gateway", "web", "worker", "disk", "slow", "dropped", "repeated")


@pytest.mark.parametrize(
    "database",
    [
        pytest.param("sqlite", marks=pytest.mark.service("sqlite")),
        pytest.param("postgresql", marks=pytest.mark.service("postgresql", "redis", "faketime")),
    ],
)
def test_nothing_is_lost(database: str, tmp_path: Path) -> None:
    kinds = WITHOUT_CLOCK if services.missing("faketime") else ()  # of a run that may do without services
    command = [
        sys.executable,
        "-m",
        "bench",
        "faults",
        "--brief",
        "--devices=40",
        "--patience=400",
        f"--database={database}",
    ]
    command += [f"--logs={tmp_path}", *(f"--kind={kind}" for kind in kinds)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as harness:
        try:
            told, errors = harness.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            harness.terminate()  # a killed one would leave behind what it has started
            told, errors = harness.communicate()

    assert harness.returncode == 0, told + errors
    assert told.endswith("nothing was lost\n")
