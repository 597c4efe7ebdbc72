"""Real processes for the tests of the supervisor: what happens in the end, and who is still alive."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from redis import Redis

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 60.0  # a machine that is busy with other tests starts a process slowly
PROCESSES = Path("/proc")  # not on macOS


def eventually(is_so: Callable[[], object], *, seconds: float = SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def is_alive(process: int) -> bool:
    """False also for a zombie: it has ended, and waits for a parent that a container may not have."""
    try:
        os.kill(process, 0)
        state = (PROCESSES / str(process) / "stat").read_text().rpartition(")")[2].split()[0]
    except ProcessLookupError:
        return False
    except FileNotFoundError:
        return not PROCESSES.is_dir()
    return state != "Z"


def own_redis() -> str:
    """The address of a Redis that no other test uses meanwhile, empty."""
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    url = urlsplit(os.environ["EPMM_TEST_REDIS_URL"])._replace(path=f"/{number}").geturl()
    with Redis.from_url(url) as redis:
        redis.flushdb()
    return url
