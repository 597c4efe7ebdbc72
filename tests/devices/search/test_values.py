# ruff: noqa: RUF001 - digits of other scripts are no digits here
from datetime import UTC, datetime, timedelta, timezone

import pytest

from devices.search.values import Period, flag, number, period

NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
BERLIN = timezone(timedelta(hours=1))


def between(start: str, end: str) -> Period:
    return Period(datetime.fromisoformat(start), datetime.fromisoformat(end))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-01-31", between("2026-01-31T00:00+01:00", "2026-02-01T00:00+01:00")),
        ("today", between("2026-11-23T00:00+01:00", "2026-11-24T00:00+01:00")),
        ("2026-01-31T08:00", between("2026-01-31T08:00+01:00", "2026-01-31T08:01+01:00")),
        ("2026-01-31 08:00:05", between("2026-01-31T08:00:05+01:00", "2026-01-31T08:00:06+01:00")),
        ("2026-01-31T08:00:05z", between("2026-01-31T08:00:05Z", "2026-01-31T08:00:06Z")),
        ("2026-01-31T08:00:05.12Z", between("2026-01-31T08:00:05.120Z", "2026-01-31T08:00:05.130Z")),
        ("2026-01-31T08:00-0500", between("2026-01-31T08:00-05:00", "2026-01-31T08:01-05:00")),
        ("1604911328525", between("2020-11-09T08:42:08.525Z", "2020-11-09T08:42:08.526Z")),
        ("1970-01-01", between("1970-01-01T00:00+01:00", "1970-01-02T00:00+01:00")),
        ("1970-01-01T00:00Z", between("1970-01-01T00:00Z", "1970-01-01T00:01Z")),
        ("0", between("1970-01-01T00:00Z", "1970-01-01T00:00:00.001Z")),
        ("now", between("2026-11-22T23:30Z", "2026-11-22T23:30:00.001Z")),
        ("NOW-7d", between("2026-11-15T23:30Z", "2026-11-15T23:30:00.001Z")),
        ("now+90m", between("2026-11-23T01:00Z", "2026-11-23T01:00:00.001Z")),
        ("now-2w", between("2026-11-08T23:30Z", "2026-11-08T23:30:00.001Z")),
        ("now-30s", between("2026-11-22T23:29:30Z", "2026-11-22T23:29:30.001Z")),
        ("now-1h", between("2026-11-22T22:30Z", "2026-11-22T22:30:00.001Z")),
    ],
)
def test_dates_and_moments_as_people_write_them(text: str, meant: Period) -> None:
    assert period(text, now=NOW, zone=BERLIN) == meant


@pytest.mark.parametrize(
    "text",
    ["", "31.1.2026", "2026-02-30", "2026-13-01", "2026-01-31T25:00", "0001-01-01", "9999-12-31", "1969-12-31", "now-7",
     "now-7y", "now-999999w", "now+999999w", "7", "٢٠٢٦-٠١-٠١"],
)  # fmt: skip
def test_what_is_no_date(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it says no more
        period(text, now=NOW, zone=BERLIN)


@pytest.mark.parametrize(("text", "value"), [("7", 7), (" -1.5 ", -1.5), ("+0", 0), ("1000000000000000", 1e15)])
def test_numbers(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["", "x", "1e3", "0x1", "nan", "inf", "1,5", "1.", ".5", "1000000000000001", "٧"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it says no more
        number(text)


def test_flags() -> None:
    assert (flag("True"), flag(" FALSE ")) == (True, False)
    with pytest.raises(ValueError):  # noqa: PT011 - it says no more
        flag("1")
