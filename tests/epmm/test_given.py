"""Many rows, each with values of its own, in one statement."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DataError
from pytest_django import DjangoAssertNumQueries

from devices.models import Device
from epmm import given
from epmm.given import update_each
from users.models import User

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
COLUMNS = ("device_name", "is_supervised", "storage_free", "os_version_number", "inventory_at", "details")


def devices(count: int) -> list[Device]:
    user = User.objects.create(user_id="anna")
    return [Device.objects.create(user=user, udid=str(number)) for number in range(count)]


def stored(*columns: str) -> list[tuple[Any, ...]]:
    return list(Device.objects.order_by("pk").values_list(*columns))


@pytest.mark.parametrize(
    "values",
    [
        [("Anna's", True, 1.5, 18_002_001, NOW, {"a": [1, None, "ü'\\%s"]}), ("", None, None, None, None, {})],
        [("", None, None, None, None, {})] * 2,
        [("%", False, 0.1, 1 << 40, NOW, {"b": 0.25}), ("None", True, -1.0, 0, NOW, {"c": True})],
    ],
)
def test_each_row_gets_its_values(
    values: list[tuple[Any, ...]], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    rows = devices(3)
    untouched = Device.objects.values().get(pk=rows[2].pk)
    for row, new in zip(rows, values, strict=False):
        for column, value in zip(COLUMNS, new, strict=True):
            setattr(row, column, value)

    with django_assert_num_queries(1):
        update_each(rows[:2], COLUMNS)

    assert stored(*COLUMNS)[:2] == values
    assert stored("udid") == [("0",), ("1",), ("2",)]
    assert Device.objects.values().get(pk=rows[2].pk) == untouched


def test_no_rows_are_no_statement(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(0):
        update_each([], COLUMNS)


def test_more_rows_than_a_statement_takes_are_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(given, "_most_parameters", lambda: 6)
    rows = devices(5)
    for number, row in enumerate(rows):
        row.device_name = f"name {number}"

    update_each(rows, ["device_name", "family"])

    assert stored("device_name") == [(f"name {number}",) for number in range(5)]


@pytest.mark.service("postgresql")
def test_text_that_is_too_long_is_not_cut() -> None:
    (row,) = devices(1)
    row.language = "x" * 36

    with pytest.raises(DataError):
        update_each([row], ["language"])
