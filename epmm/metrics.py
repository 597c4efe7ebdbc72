"""What is counted and timed.  Labels come from sets that are written here: never a path, a name or an address.

`epmm/metrics_files.py` says how several processes of a machine count together.
"""

import asyncio
import os
from bisect import bisect_left
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
        "declarations",
        "too-large",
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
        "accepted", "unregistered", "bad_token", "wrong_server", "wrong_topic", "bad_certificate", "our_fault",
        "too_many", "try_later",
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
    "Messages of devices that shared one commit.",
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
for _verdict in PUSH_VERDICTS:
    pushes.labels(_verdict)  # from 0 on: Prometheus sees no increase in what begins with its first event


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


class _Told:
    """Of one endpoint of the device door, since it was last written down."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._histogram = door_seconds.labels(name)
        door_answers.labels(name, "401")  # from 0 on, as above
        self._empty()

    def _empty(self) -> None:
        self.seconds = 0.0
        self.within = [0] * (len(_DOOR_SECONDS) + 1)  # of each bucket
        self.answers: dict[int | str, int] = {}  # by status

    def write_down(self) -> None:
        if not self.answers:
            return
        self._histogram._sum.inc(self.seconds)  # noqa: SLF001 -- the library takes observations one by one only
        for bucket, count in zip(self._histogram._buckets, self.within, strict=True):  # noqa: SLF001
            if count:
                bucket.inc(count)
        for status, count in self.answers.items():
            door_answers.labels(self._name, str(status)).inc(count)
        self._empty()


class DoorFigures:
    """The device door's, made for its pace: they are added up here and written down each second."""

    def __init__(self) -> None:
        self._told = {name: _Told(name) for name in ("connect", "checkin", OTHER)}
        self.inside = 0
        self._next_look: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """From now on, each second."""
        self._next_look = asyncio.get_running_loop().call_later(LOOK_SECONDS, self.watch)
        self._write_down()

    def end(self) -> None:
        if self._next_look is not None:
            self._next_look.cancel()
        self.inside = 0
        self._write_down()

    def answered(self, path: str, status: int | str, seconds: float, refusal: str | None) -> None:
        told = self._told[_DOOR_ENDPOINTS.get(path, OTHER)]
        told.seconds += seconds
        told.within[bisect_left(_DOOR_SECONDS, seconds)] += 1
        told.answers[status] = told.answers.get(status, 0) + 1
        if refusal is not None:
            door_refusals.labels(refusal).inc()

    def _write_down(self) -> None:
        door_waiting.set(self.inside)
        for told in self._told.values():
            told.write_down()


_DOOR_ENDPOINTS: Final[Mapping[str, str]] = {"/mdm/connect": "connect", "/mdm/checkin": "checkin"}
