"""What is written after an operator, as a value.  No Django, no clock.  Each raises ValueError."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

MOST: Final = 1e15  # below it a number is exact, and any column holds it
FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = datetime(9000, 1, 1, tzinfo=UTC)
_NUMBER: Final = re.compile(r"[+-]?\d{1,16}(\.\d{1,16})?", re.ASCII)
_OFFSET: Final = re.compile(r"now(?:([+-])(\d{1,6})([smhdw]))?", re.IGNORECASE | re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MILLISECONDS: Final = re.compile(r"0|\d{11,14}", re.ASCII)  # fewer digits are rather a year, or a slip
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(:\d\d)?(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE | re.ASCII
)
_FLAGS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Period:
    """From its start up to, and not with, its end: a date is a day, a moment is as long as it is written exactly."""

    start: datetime
    end: datetime


def number(text: str) -> float:
    if not _NUMBER.fullmatch(text.strip()):
        raise ValueError
    value = float(text)
    if abs(value) > MOST:
        raise ValueError
    return value


def flag(text: str) -> bool:
    try:
        return _FLAGS[text.strip().lower()]
    except KeyError as error:
        raise ValueError from error


def period(text: str, *, now: datetime, zone: tzinfo) -> Period:
    try:
        found = _period(text.strip(), now, zone)
    except OverflowError as error:
        raise ValueError from error
    first = min(FIRST, FIRST.replace(tzinfo=zone))  # 1970-01-01 is a day of every zone
    if not first <= found.start < LAST:
        raise ValueError
    return found


def _period(text: str, now: datetime, zone: tzinfo) -> Period:
    if text.lower() == "today":
        return _day(now.astimezone(zone).date().isoformat(), zone)
    if _DAY.fullmatch(text):
        return _day(text, zone)
    if _MILLISECONDS.fullmatch(text):
        return _from(FIRST + timedelta(milliseconds=int(text)), timedelta(milliseconds=1))
    if offset := _OFFSET.fullmatch(text):
        return _from(now + _distance(*offset.groups()), timedelta(milliseconds=1))
    return _moment(text, zone)


def _from(start: datetime, length: timedelta) -> Period:
    return Period(start, start + length)


def _day(text: str, zone: tzinfo) -> Period:
    day = datetime.fromisoformat(text)
    start, end = (datetime.combine(each, time(), zone) for each in (day, day + timedelta(days=1)))
    return Period(start, end)


def _distance(sign: str | None, count: str | None, unit: str | None) -> timedelta:
    if count is None or unit is None:
        return timedelta()
    distance = timedelta(**{_UNITS[unit.lower()]: int(count)})
    return -distance if sign == "-" else distance


def _moment(text: str, zone: tzinfo) -> Period:
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError
    day, minute, seconds, fraction, offset = found.groups()
    offset = (offset or "").upper()
    start = datetime.fromisoformat(f"{day}T{minute}{seconds or ':00'}{(fraction or '.0').ljust(7, '0')}{offset}")
    if start.tzinfo is None:
        start = start.replace(tzinfo=zone)
    if fraction:
        return _from(start, timedelta(seconds=1) / 10 ** (len(fraction) - 1))
    return _from(start, timedelta(seconds=1) if seconds else timedelta(minutes=1))
