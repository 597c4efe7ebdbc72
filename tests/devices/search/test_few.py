"""What leads to few: an index of the few alone, and on SQLite one that is entered where few have the value."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from devices.search import few, sql
from devices.services import search
from tests.devices.services.rows import person

pytestmark = pytest.mark.django_db


@pytest.fixture
def devices(db: None) -> None:
    Device.objects.bulk_create(
        Device(
            user=person(),
            status=Device.Status.ACTIVE,
            platform="macOS" if number < 3 else "iOS",
            os_version_number=14_000_000 + number * 1_000_000,
            battery_level=number / 10,
        )
        for number in range(10)
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("ANALYZE")


def plan(expression: str) -> tuple[int, str]:
    """How many are found, in no order, and on which way."""
    with CaptureQueriesContext(connection) as queries:
        found = search.count(expression).number
    (asked,) = [query["sql"] for query in queries if 'FROM "devices_device"' in query["sql"]]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'QUERY PLAN ' if connection.vendor == 'sqlite' else ''}{asked}")
        return found, " ".join(str(row[-1]) for row in cursor)


@pytest.mark.parametrize(
    ("expression", "number", "is_led"),
    [("< 5", 1, True), ("<= 10", 2, True), ("< 20", 2, True), ("<= 20", 3, False), ("> 10", 8, False)],
)
def test_a_low_battery_is_found_by_its_index(devices: None, expression: str, number: int, *, is_led: bool) -> None:
    found, way = plan(f'"common.battery_level" {expression}')

    assert found == number
    assert ("device_battery_low" in way) is is_led


@pytest.mark.service("sqlite")
@pytest.mark.parametrize(
    ("expression", "number", "is_led"),
    [
        ('"common.platform" = "macOS" AND "common.owner" = "COMPANY"', 3, True),
        ('"common.platform" = "iOS" AND "common.owner" = "COMPANY"', 7, False),
        ('"common.os_version" >= "22" AND "common.owner" = "COMPANY"', 2, True),
        ('"common.os_version" > "14" AND "common.owner" = "COMPANY"', 9, False),
        ('NOT "common.platform" = "iOS"', 3, False),
    ],
)
def test_an_index_is_entered_where_few_have_the_value(
    devices: None, monkeypatch: pytest.MonkeyPatch, expression: str, number: int, *, is_led: bool
) -> None:
    monkeypatch.setattr(sql, "FEW", 3)
    monkeypatch.setattr(few, "_counted", {})
    with CaptureQueriesContext(connection) as queries:
        found = search.count(expression).number

    assert found == number
    column = "platform" if "platform" in expression else "os_version_number"
    assert (f'+"devices_device"."{column}"' not in queries[-1]["sql"]) is is_led
