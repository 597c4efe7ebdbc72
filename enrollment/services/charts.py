"""Charts as numbers for an SVG: geometry stands in attributes, colors in the style sheet; pages allow no style."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from django.utils.functional import Promise

from enrollment.services.overview import Day

WIDTH: Final = 720
HEIGHT: Final = 160
GAP: Final = 4
NICE: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    day: date
    enrolled: int
    failed: int
    x: float
    width: float
    enrolled_y: float
    enrolled_height: float
    failed_y: float
    failed_height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    bars: list[Bar]
    top: int  # what the upper edge stands for
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def enrolled(self) -> int:
        return sum(bar.enrolled for bar in self.bars)

    @property
    def failed(self) -> int:
        return sum(bar.failed for bar in self.bars)


@dataclass(frozen=True, slots=True)
class Share:
    label: str | Promise
    count: int
    percent: float  # of the largest


def over_time(days: Sequence[Day]) -> Chart:
    """One column a day: who enrolled at the bottom, who failed on top of it."""
    top = _nice(max((day.enrolled + day.failed for day in days), default=0))
    step = (WIDTH + GAP) / max(1, len(days))  # no gap after the last one
    return Chart(bars=[_bar(day, number * step, step - GAP, HEIGHT / top) for number, day in enumerate(days)], top=top)


def _bar(day: Day, x: float, width: float, scale: float) -> Bar:
    enrolled, failed = day.enrolled * scale, day.failed * scale
    return Bar(
        day=day.day,
        enrolled=day.enrolled,
        failed=day.failed,
        x=round(x, 2),
        width=round(width, 2),
        enrolled_y=round(HEIGHT - enrolled, 2),
        enrolled_height=round(enrolled, 2),
        failed_y=round(HEIGHT - enrolled - failed, 2),
        failed_height=round(failed, 2),
    )


def _nice(largest: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ..."""
    scale = 1
    while True:
        for step in NICE:
            if largest <= step * scale:
                return step * scale
        scale *= 10


def shares(
    counts: Counter[str], labels: Mapping[str, str | Promise], *, unknown: str | Promise, most: int = 0
) -> list[Share]:
    ordered = counts.most_common(most or None)
    largest = max((count for _key, count in ordered), default=1)
    return [Share(labels.get(key, key) or unknown, count, round(100 * count / largest, 1)) for key, count in ordered]
