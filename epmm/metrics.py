"""What is counted and timed.  Labels come from sets that are written here: never a path, a name or an address.

`epmm/metrics_files.py` says how several processes of a machine count together.
"""

import asyncio
import os
from collections.abc import Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.values import MultiProcessValue

from epmm import metrics_files

PLACE: Final = os.environ.get(metrics_files.PLACE, "")
if PLACE and metrics_files.VARIABLE in os.environ:
    values.ValueClass = MultiProcessValue(process_identifier=lambda: PLACE)  # type: ignore[no-untyped-call] # untyped there

OTHER: Final = "other"
# By the first segment of the path.
ENDPOINTS: Final = frozenset(
    {
        "home",
        "go",
        "help",
        "my",
        ".well-known",
        "enroll",
        "scep",
        "acme",
        "admin",
        "api",
        "static",
        "healthz",
        "readyz",
        "metrics",
        "status",
    }
)
PUSH_VERDICTS: Final = frozenset(
    {
        "accepted", "unregistered", "bad_token", "wrong_topic", "bad_certificate", "our_fault", "too_many", "try_later",
    }
)  # fmt: skip
LOOK_SECONDS: Final = 1.0
_FRONT_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_DOOR_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
_JOB_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300)

registry: Final = CollectorRegistry()

front_seconds: Final = Histogram(
    "epmm_front_request_seconds",
    "Requests to the front door.",
    ("endpoint", "status"),
    buckets=_FRONT_SECONDS,
    registry=registry,
)
door_seconds: Final = Histogram(
    "epmm_door_request_seconds",
    "Requests to the device door.",
    ("endpoint",),
    buckets=_DOOR_SECONDS,
    registry=registry,
)
door_answers: Final = Counter(
    "epmm_door_answers", "Answers of the device door.", ("endpoint", "status"), registry=registry
)
door_refusals: Final = Counter(
    "epmm_door_refusals", "Requests that the device door refused, by the kind of refusal.", ("why",), registry=registry
)
door_batch: Final = Histogram(
    "epmm_door_batch_size",
    "Connects that shared one commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64),
    registry=registry,
)
door_waiting: Final = Gauge(
    "epmm_door_waiting", "Requests inside the device door now.", multiprocess_mode="livesum", registry=registry
)
job_seconds: Final = Histogram(
    "epmm_job_seconds", "Jobs of the worker.", ("kind", "outcome"), buckets=_JOB_SECONDS, registry=registry
)
pushes: Final = Counter("epmm_pushes", "Answers of the push service.", ("verdict",), registry=registry)


def count_push(verdict: str, count: int = 1) -> None:
    pushes.labels(verdict if verdict in PUSH_VERDICTS else OTHER).inc(count)


def endpoint(path: str) -> str:
    first = path[1:].partition("/")[0] or "home"
    return first if first in ENDPOINTS else OTHER


def observe_front(path: str, status: int, seconds: float) -> None:
    front_seconds.labels(endpoint(path), f"{status // 100}xx").observe(seconds)


def collected() -> CollectorRegistry:
    """What to read: our own figures, or those of all processes of this machine."""
    if not PLACE:
        return registry
    everyone = CollectorRegistry()
    MultiProcessCollector(everyone)  # type: ignore[no-untyped-call] # untyped there
    return everyone


class DoorFigures:
    """The device door's, made for its pace: the series are looked up once."""

    def __init__(self) -> None:
        self._seconds = {name: door_seconds.labels(name) for name in ("connect", "checkin", OTHER)}
        self._answers: dict[tuple[str, int], Counter] = {}
        self.inside = 0
        self._next_look: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """Tell how many are inside, now and each second; telling of each that comes or goes would cost it 5 %."""
        door_waiting.set(self.inside)
        self._next_look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self.watch)

    def end(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        door_waiting.set(0)

    def answered(self, path: str, status: int, seconds: float, refusal: str | None) -> None:
        name = _DOOR_ENDPOINTS.get(path, OTHER)
        self._seconds[name].observe(seconds)
        if (answers := self._answers.get((name, status))) is None:
            answers = self._answers[name, status] = door_answers.labels(name, str(status))
        answers.inc()
        if refusal is not None:
            door_refusals.labels(refusal).inc()


_DOOR_ENDPOINTS: Final[Mapping[str, str]] = {"/mdm/connect": "connect", "/mdm/checkin": "checkin"}
