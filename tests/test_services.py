"""The services of the tests go with the run that started them."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import services
from tests.epmm.processes import ROOT, eventually, is_alive

RUN = """
import sys
from pathlib import Path
from tests import services

def suite(database, options, environment):
    print(database, flush=True)
    sys.stdin.read()

services._suite = suite
sys.exit(services.main([]))
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own, which PostgreSQL's account may not enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.mark.service("redis")
def test_a_terminated_run_leaves_no_server_behind(folder: Path) -> None:
    environment = os.environ | {"TMPDIR": str(folder)}
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", RUN], cwd=ROOT, env=environment, stdin=pipe, stdout=pipe) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"SQLite\n"
        (pid_file,) = folder.glob("epmm-services-*/postgresql/data/postmaster.pid")
        server = int(pid_file.read_text().split()[0])
        assert is_alive(server)
        run.send_signal(signal.SIGTERM)

        assert run.wait(60) == 128 + signal.SIGTERM
    eventually(lambda: not is_alive(server))
    assert not list(folder.glob("epmm-services-*"))


def test_an_unknown_service_is_a_mistake_in_the_test() -> None:
    with pytest.raises(ValueError, match="unknown service"):
        services.missing("postgres")
