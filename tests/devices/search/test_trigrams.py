"""The table by which SQLite finds what contains a text: it follows the devices, whatever becomes of them."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device
from devices.search import few, trigrams
from devices.services import search
from tests.devices.search.finding import find
from tests.devices.services.rows import person

pytestmark = [pytest.mark.django_db, pytest.mark.service("sqlite")]


def phone(name: str) -> Device:
    return Device.objects.create(user=person(), status="ACTIVE", device_name=name)


def found(text: str) -> list[str]:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return sorted(device.device_name for device in find(f'"{quoted}"').rows)


def plan(text: str, *, order: str = "") -> str:
    """Of the devices that hold it, in an order or in none."""
    rows = search.matching(f'"{text}"')
    with CaptureQueriesContext(connection) as queries:
        list(rows.order_by(order) if order else rows)
    asked = queries[-1]["sql"]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {asked}")
        return " ".join(row[-1] for row in cursor)


def test_a_text_is_found_by_its_trigrams_and_one_that_is_shorter_all_the_same() -> None:
    phone("Größe 12"), phone('the "best" one'), phone("100 % *")

    assert "VIRTUAL TABLE" in plan("größe")
    assert found("GRÖSSE 1") == ["Größe 12"]
    assert found('"best"') == ['the "best" one']
    assert found("% *") == ["100 % *"]
    assert found("zz NOT zz") == []
    assert "VIRTUAL TABLE" not in plan("gr")
    assert found("12") == ["Größe 12"]


def test_what_many_hold_is_looked_for_in_the_order_of_the_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trigrams, "FEW_IN_ORDER", 1)
    monkeypatch.setattr(few, "_counted", {})
    phone("phone one"), phone("phone two")

    assert "VIRTUAL TABLE" not in plan("phone", order="last_seen_at")
    assert found("phone") == ["phone one", "phone two"]
    assert "VIRTUAL TABLE" in plan("phone one", order="last_seen_at")
    with CaptureQueriesContext(connection) as queries:  # all of them are looked for in no order
        assert search.count("phone").number == 2
    assert "device_search_text MATCH" in queries[-1]["sql"]


def test_it_follows_what_is_renamed_and_what_goes() -> None:
    one, two = phone("first"), phone("second")

    one.device_name = "third"
    one.save(update_fields=["device_name"])
    assert (found("first"), found("third")) == ([], ["third"])
    Device.objects.filter(pk=two.pk).update(last_seen_at=None)
    assert found("second") == ["second"]
    two.delete()
    assert found("second") == []
    with connection.cursor() as cursor:  # raises where it says something else than the devices
        cursor.execute("INSERT INTO device_search_text (device_search_text, rank) VALUES ('integrity-check', 1)")


def test_a_migration_that_made_the_table_anew_is_noticed() -> None:
    phone("before")
    with connection.cursor() as cursor:
        for suffix in ("added", "changed", "removed"):
            cursor.execute(f"DROP TRIGGER device_search_text_{suffix}")
    phone("unseen")

    trigrams.keep(using="default")
    phone("after")
    assert [found(name) for name in ("before", "unseen", "after")] == [["before"], ["unseen"], ["after"]]
    assert "VIRTUAL TABLE" in plan("unseen")


def test_without_the_table_the_same_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trigrams, "_is_there", {})
    monkeypatch.setattr(trigrams, "_MADE", "CREATE VIRTUAL TABLE device_search_text USING unheard_of")
    phone("first")
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER device_search_text_added")

    trigrams.keep(using="default")
    phone("second")
    assert (found("first"), found("second")) == (["first"], ["second"])
    assert "VIRTUAL TABLE" not in plan("first")
