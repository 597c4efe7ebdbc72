"""Figures that are read from the database when monitoring asks, and kept for a while: asking often costs nothing.

Each app registers its sources; a source asks by an index, and stops counting at MOST.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import Error as DatabaseFailure
from django.db.models import QuerySet
from prometheus_client.core import GaugeMetricFamily

logger = logging.getLogger(__name__)
MOST: Final = 100_000
SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


Read = Callable[[], Iterable[Figure]]


class Source:
    """One reader, and what it read last."""

    def __init__(self, read: Read, seconds: float) -> None:
        self._read = read
        self._seconds = seconds
        self._until = 0.0
        self._figures: tuple[Figure, ...] = ()
        self._lock = threading.Lock()

    def figures(self) -> tuple[Figure, ...]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._figures = tuple(self._read())
                self._until = time.monotonic() + self._seconds
            return self._figures

    def forget(self) -> None:
        self._until = 0.0


SOURCES: Final[list[Source]] = []


def source(*, seconds: float = SECONDS) -> Callable[[Read], Read]:
    """Register a reader; it is asked once in so many seconds at most."""

    def register(read: Read) -> Read:
        SOURCES.append(Source(read, max(seconds, SECONDS)))
        return read

    return register


def capped_count(query: "QuerySet[Any]") -> int:
    """Up to MOST, which then stands for "as many or more"."""
    return query.order_by()[:MOST].count()


class Collector:
    """What prometheus_client asks; a database that is away is a figure, too."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        found: list[Figure] = []
        is_up = 1.0
        for each in SOURCES:
            try:
                found += each.figures()
            except DatabaseFailure:
                logger.warning("the database did not answer for its figures")
                is_up = 0.0
                break
        found.append(Figure(name="epmm_database_up", help="1 when the database answered for its figures.", value=is_up))
        yield from _families(found)


def _families(figures: Iterable[Figure]) -> Iterator[GaugeMetricFamily]:
    families: dict[str, GaugeMetricFamily] = {}
    for figure in figures:
        family = families.setdefault(
            figure.name, GaugeMetricFamily(figure.name, figure.help, labels=tuple(figure.labels))
        )
        family.add_metric(list(figure.labels.values()), figure.value)
    yield from families.values()
