"""What the dashboard shows, in a few questions over whole sets."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import Count, DateField, Exists, Func, OuterRef
from django.utils import timezone

from devices.models import Device
from enrollment.models import Attempt
from enrollment.services import figures
from users.models import DirectoryEntry

DAYS: Final = 30
KEPT_SECONDS: Final = 15.0  # counting a large fleet takes a while, and several administrators look at once
MOST_VERSIONS: Final = 8
MOST_CODES: Final = 6
MOST_LEFT_BEHIND: Final = 5


@dataclass(frozen=True, slots=True)
class Fleet:
    """Devices that are not retired, by what they are; all of them by status."""

    status: Counter[str]
    platform: Counter[str]
    kind: Counter[str]
    version: Counter[str]


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    enrolled: int
    failed: int


@dataclass(frozen=True, slots=True)
class Expiry:
    certificate: str
    days: float


class _Kept:
    """As last counted by this process."""

    def __init__(self, count: Callable[[], Fleet]) -> None:
        self._count = count
        self._fleet: Fleet | None = None
        self._until = 0.0

    def read(self) -> Fleet:
        if self._fleet is None or time.monotonic() >= self._until:
            self._fleet = self._count()
            self._until = time.monotonic() + KEPT_SECONDS
        return self._fleet

    def forget(self) -> None:
        self._fleet = None


def _count() -> Fleet:
    """One walk over the devices answers all four."""
    found = Fleet(Counter(), Counter(), Counter(), Counter())
    groups = Device.objects.order_by().values_list("status", "platform", "enrollment_type", "os_version")
    for status, platform, kind, version, count in groups.annotate(Count("pk")):
        found.status[status] += count
        if status == Device.Status.RETIRED:
            continue
        found.platform[platform] += count
        found.kind[kind] += count
        found.version[f"{platform} {version}".strip()] += count
    return found


_kept = _Kept(_count)
fleet = _kept.read
forget = _kept.forget


class _Day(Func):
    """In UTC, by the database itself: Django's own on SQLite calls Python for each row."""

    function = "date"
    arity = 1
    output_field = DateField()


def days(now: datetime) -> list[Day]:
    """Each of the last days, those without an attempt included."""
    first = timezone.localdate(now) - timedelta(days=DAYS - 1)
    since = timezone.make_aware(datetime(first.year, first.month, first.day))  # noqa: DTZ001 - made aware at once
    ended = Attempt.objects.filter(opened_at__gte=since, state__in=(Attempt.State.ACTIVE, Attempt.State.FAILED))
    by_day = ended.order_by().annotate(day=_Day("opened_at")).values_list("day", "state").annotate(Count("pk"))
    counts = {(day, state): count for day, state, count in by_day}
    return [
        Day(
            day,
            counts.get((day, Attempt.State.ACTIVE), 0),
            counts.get((day, Attempt.State.FAILED), 0),
        )
        for day in (first + timedelta(days=number) for number in range(DAYS))
    ]


def failures(now: datetime) -> list[tuple[str, int]]:
    """Of the last day, by code: the most frequent ones."""
    recent = Attempt.objects.filter(opened_at__gte=now - timedelta(days=1), state=Attempt.State.FAILED)
    by_code = recent.order_by().values_list("last_code").annotate(Count("pk"))
    return sorted(((code, count) for code, count in by_code), key=lambda each: (-each[1], each[0]))[:MOST_CODES]


def expiries() -> Iterator[Expiry]:
    """Of what this installation lives on; the soonest first."""
    found = [Expiry(figure.labels["certificate"], figure.value) for figure in figures.certificates()]
    yield from sorted(found, key=lambda each: each.days)


def left_behind() -> tuple[list[Device], bool]:
    """Enrolled devices of people who are gone from their directory, long since first, and whether there are more."""
    theirs = Device.objects.enrolled().filter(user=OuterRef("user"))
    gone = DirectoryEntry.objects.filter(Exists(theirs), gone_at__isnull=False).order_by("gone_at")
    people = list(gone.values_list("user_id", flat=True)[: MOST_LEFT_BEHIND + 1])
    if not people:
        return [], False
    enrolled = Device.objects.enrolled().filter(user__in=people).select_related("user")
    found = list(enrolled.order_by("user", "pk")[: MOST_LEFT_BEHIND + 1])
    return found[:MOST_LEFT_BEHIND], len(found) > MOST_LEFT_BEHIND
