import subprocess
import sys
import threading
from pathlib import Path

import pytest

from epmm import locks


def test_one_at_a_time(tmp_path: Path) -> None:
    with locks.held(tmp_path / "lock"), pytest.raises(locks.LockedError), locks.held(tmp_path / "lock"):
        pass

    with locks.held(tmp_path / "lock"):
        pass


def test_waits_for_the_one_before(tmp_path: Path) -> None:
    first = locks.held(tmp_path / "lock")
    first.__enter__()
    threading.Timer(0.2, first.__exit__, (None, None, None)).start()

    with locks.held(tmp_path / "lock", wait=20):
        pass


def test_a_child_that_inherits_it_holds_it_until_it_dies(tmp_path: Path) -> None:
    with locks.held(tmp_path / "lock") as descriptor:
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        child = subprocess.Popen(sleep, pass_fds=[descriptor])

    try:
        with pytest.raises(locks.LockedError), locks.held(tmp_path / "lock"):
            pass
    finally:
        child.kill()
        child.wait()

    with locks.held(tmp_path / "lock"):
        pass
