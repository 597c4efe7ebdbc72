"""Pages, counts and their limits, through the service."""

import base64
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from devices.models import Device
from devices.search import patience
from devices.search.patience import SearchTooSlow, limited
from devices.services import search
from devices.services.search import SORTS, SearchRefused
from epmm.portal import keyset
from epmm.portal.keyset import Order
from tests.devices.search.finding import BY_CONTACT, find
from tests.devices.search.fleet import fleet
from tests.devices.services.rows import NOW, person

pytestmark = pytest.mark.django_db


def device(**columns: object) -> Device:
    return Device.objects.create(**{"user": person(), "status": Device.Status.ACTIVE, **columns})


def walk(expression: str, *, sort: str, size: int, exclude_retired: bool = True) -> list[Device]:
    found, after = [], ""
    for _ in range(200):
        page = find(expression, sort=sort, size=size, after=after, exclude_retired=exclude_retired)
        assert len(page.rows) <= size
        found += page.rows
        if not page.after:
            return found
        after = page.after
    raise AssertionError("the pages have no end")


@pytest.mark.parametrize("size", [1, 3, 7, 100])
@pytest.mark.parametrize("order", ["", "-"])
@pytest.mark.parametrize("key", SORTS)
def test_pages_show_each_device_once_and_in_order(key: str, order: str, size: int) -> None:
    everyone = fleet(30)
    column = SORTS[key] or "pk"

    found = walk("", sort=order + key, size=size, exclude_retired=False)

    known = [each for each in everyone if getattr(each, column) is not None]
    unset = [each for each in everyone if getattr(each, column) is None]
    known.sort(key=lambda each: (getattr(each, column), each.pk), reverse=order == "-")
    unset.sort(key=lambda each: each.pk, reverse=order == "-")
    assert found == known + unset


def test_a_page_goes_on_after_a_device_that_is_gone() -> None:
    first, second, third = (device(last_seen_at=NOW - timedelta(days=days)) for days in range(3))
    page = find("", size=1)
    assert page.rows == [first]

    first.delete()
    device(last_seen_at=NOW + timedelta(days=1))

    assert find("", size=5, after=page.after).rows == [second, third]


def test_retired_devices_are_found_on_request() -> None:
    standing, retired = device(), device(status=Device.Status.RETIRED)

    assert find("").rows == [standing]
    assert set(find("", exclude_retired=False).rows) == {standing, retired}
    assert find("common.retired = true").rows == []
    assert (search.count("").number, search.count("", exclude_retired=False).number) == (1, 2)


def test_a_count_stops_at_its_cap() -> None:
    for _ in range(4):
        device()

    assert str(search.count("", cap=4)) == "4"
    assert str(search.count("", cap=3)) == "3+"


@pytest.mark.parametrize(
    "after", ["x", "é", "bnVsbA==", base64.b64encode(b'["2026-11-22",1]').decode(), base64.b64encode(b"[1,2]").decode(),
              base64.b64encode(b"[null,true]").decode(), base64.b64encode(b"[null,-1]").decode(),
              base64.b64encode(b"[" * 50_000).decode(), base64.b64encode(b"[null,1e400]").decode()]
)  # fmt: skip
def test_a_place_that_we_did_not_name_is_none(after: str) -> None:
    assert not keyset.is_place(Device.objects.all(), Order("last_seen_at", is_descending=True), after)


def test_half_a_character_is_no_place_among_texts() -> None:
    half = base64.b64encode(rb'["\ud800",1]').decode()

    assert not keyset.is_place(Device.objects.all(), Order("serial_number"), half)


def test_a_wrong_expression_is_refused_with_its_place() -> None:
    with pytest.raises(SearchRefused, match="Did you mean") as caught:
        search.count("retired = false AND serialnumbr = x")

    assert caught.value.at == 21


def test_a_page_takes_the_same_queries_however_many_devices(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    fleet(40)

    with django_assert_max_num_queries(8):
        names = [each.user.display_name for each in find("", size=40).rows]

    assert names


def test_the_largest_expression_reaches_the_database() -> None:
    fleet(5)
    words = " OR ".join(["model contains a", "last_connected_at > now-7d"] * 250)
    nested = "(" * 20 + "a" + " AND b)" * 20

    assert search.count(words).number <= 5
    assert search.count(nested).number <= 5


@pytest.mark.service("sqlite")
def test_sqlite_is_stopped_when_a_search_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet(30)
    monkeypatch.setattr(patience, "STEPS", 10)

    with pytest.raises(SearchTooSlow), limited(-1):
        list(Device.objects.all())
    assert Device.objects.exists()


@pytest.mark.service("postgresql")
def test_postgresql_is_stopped_when_a_search_takes_too_long() -> None:
    with pytest.raises(SearchTooSlow), limited(0.05), connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(5)")

    with transaction.atomic(), connection.cursor() as cursor:
        with limited(5):
            pass
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)


def test_whoever_searches_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_slow(seconds: float = 0) -> object:
        raise SearchTooSlow

    monkeypatch.setattr(search, "limited", too_slow)

    with pytest.raises(SearchRefused, match="takes too long"):
        search.count("")


# --- Plans ------------------------------------------------------------------------------------------------------------

DEVICES = 3000


@pytest.fixture
def many() -> None:
    """Enough for the planner to care."""
    people = [person(f"user{number}") for number in range(20)]
    Device.objects.bulk_create(
        Device(
            user=people[number % 20],
            status=Device.Status.RETIRED if number % 10 == 0 else Device.Status.ACTIVE,
            device_name=f"iPad {number}",
            serial_number=f"TEST{number:06}",
            imei=f"35{number:013}",
            managed_apple_account=f"user{number}@corp.example",
            last_seen_at=NOW - timedelta(minutes=number),
            registered_at=NOW - timedelta(minutes=number),
        )
        for number in range(DEVICES)
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # what autovacuum does; a pending list makes the index look dear
            cursor.execute("SELECT gin_clean_pending_list('device_search_text')")
            cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("ANALYZE")


def plans(expression: str, *, sort: str = BY_CONTACT) -> str:
    explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with CaptureQueriesContext(connection) as queries:
        find(expression, sort=sort)
    lines = []
    with connection.cursor() as cursor:
        for query in queries:
            if 'FROM "devices_device"' in query["sql"]:
                cursor.execute(f"{explain} {query['sql']}")
                lines += [str(row[0] if connection.vendor == "postgresql" else row[-1]) for row in cursor]
    return "\n".join(lines)


@pytest.mark.usefixtures("many")
def test_each_order_has_its_index() -> None:
    for sort, index in {
        "-common.last_connected_at": "device_seen_kind",
        "common.last_connected_at": "device_seen_kind",
        "user.display_name": "device_user_name",
        "-ios.DeviceName": "device_name",
        "-common.registration_date": "device_registered",
        "common.SerialNumber": "device_serial_order",
        "-common.SerialNumber": "device_serial_order",
        "-user.display_name": "device_user_name",
        "common.registration_date": "device_registered",
        "ios.DeviceName": "device_name",
        "common.modified_at": "device_modified_order",
        "-common.modified_at": "device_modified_order",
    }.items():
        plan = plans("", sort=sort)
        assert index in plan
        assert "Seq Scan on devices_device" not in plan
        assert "Sort" not in plan
        assert "TEMP B-TREE" not in plan


@pytest.mark.usefixtures("many")
@pytest.mark.service("postgresql")
def test_a_part_of_a_name_is_found_through_the_trigram_index() -> None:
    for expression in (
        "user1711",
        "user.email_address contains user1711",
        'ios.DeviceName contains "d 217"',
        "SerialNumber contains 1111",
        "imei = 350000000000111",
        "ios.managed_apple_id = user111@corp.example",
    ):
        plan = plans(expression)
        assert "Bitmap Index Scan on device_search_text" in plan, expression
        assert "Seq Scan on devices_device" not in plan


@pytest.mark.service("postgresql")
@pytest.mark.parametrize(
    ("text", "has_trigram"),
    [
        ("anna", True),
        ("мюл", True),
        ("@x", True),
        ("a-b", True),
        ("an", False),
        ("a@", False),
        ("---", False),
        ("__", False),
    ],
)
def test_the_trigram_index_is_asked_for_what_it_can_find(text: str, *, has_trigram: bool) -> None:
    """An index that knows no part of a text is read from end to end."""
    asked = str(search.matching(f'user.email_address contains "{text}"').query)

    assert (" LIKE " in asked) is has_trigram


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("expression", "index"),
    [("uuid = 9b0da853-0000-0000-0000-f4b5457299cf", "uuid"), ("serialnumber = test000111", "device_serial_any_case")],
)
def test_a_record_is_found_by_what_is_its_own(expression: str, index: str) -> None:
    plan = plans(expression)

    assert index in plan
    assert "Seq Scan" not in plan
