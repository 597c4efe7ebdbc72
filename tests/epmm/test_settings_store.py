from collections.abc import Iterator

import pytest
from django.db import transaction
from pytest_django import DjangoAssertNumQueries

from epmm import settings_store
from epmm.models import AuditEntry, SettingRow
from epmm.settings_store import InvalidSetting, Setting


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_store, "REGISTRY", {})


@pytest.fixture
def switch() -> Setting[bool]:
    return settings_store.flag("tests.switch", default=False, help="A switch.")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    now = [1000.0]
    monkeypatch.setattr("epmm.settings_store.time.monotonic", lambda: now[0])
    yield now
    settings_store.clear_cache()


@pytest.mark.django_db
def test_a_setting_without_a_row_has_its_default(switch: Setting[bool]) -> None:
    assert settings_store.read(switch) is False
    assert settings_store.shown(switch) == "off"


@pytest.mark.django_db
def test_a_change_acts_at_once_and_is_audited(switch: Setting[bool]) -> None:
    settings_store.read(switch)

    settings_store.change("tests.switch", " on\n", actor="root")

    assert settings_store.read(switch) is True
    row = SettingRow.objects.get()
    assert (row.name, row.value, row.changed_by) == ("tests.switch", "on", "root")
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.subject_type) == ("setting.changed", "root", "setting")
    assert (entry.subject, entry.details) == ("tests.switch", {"from": "off", "to": "on"})


@pytest.mark.django_db
def test_a_setting_is_changed_back(switch: Setting[bool]) -> None:
    settings_store.change("tests.switch", "on", actor="root")
    settings_store.change("tests.switch", "off", actor="anna")

    assert settings_store.read(switch) is False
    assert SettingRow.objects.get().changed_by == "anna"
    assert [entry.details["to"] for entry in AuditEntry.objects.order_by("pk")] == ["on", "off"]


@pytest.mark.django_db
def test_a_refused_value_changes_nothing(switch: Setting[bool]) -> None:
    with pytest.raises(InvalidSetting, match="on or off"):
        settings_store.change("tests.switch", "maybe", actor="root")

    assert settings_store.read(switch) is False
    assert not SettingRow.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_an_unknown_name_is_no_setting(switch: Setting[bool]) -> None:
    with pytest.raises(KeyError):
        settings_store.change("tests.other", "on", actor="root")


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_rolled_back_never_happened(switch: Setting[bool]) -> None:
    with transaction.atomic():
        settings_store.change("tests.switch", "on", actor="root")
        transaction.set_rollback(True)

    settings_store.clear_cache()
    assert settings_store.read(switch) is False
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_reading_costs_one_query_a_second(
    switch: Setting[bool], clock: list[float], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    other = settings_store.number("tests.number", default=7, low=1, high=9, help="A number.")

    with django_assert_num_queries(1):
        for _ in range(5):
            settings_store.read(switch)
            settings_store.read(other)
    clock[0] += settings_store.CACHE_SECONDS
    with django_assert_num_queries(1):
        settings_store.read(switch)


@pytest.mark.django_db
def test_what_another_process_changed_is_seen_within_a_second(switch: Setting[bool], clock: list[float]) -> None:
    settings_store.read(switch)
    SettingRow.objects.create(name="tests.switch", value="on", changed_by="elsewhere")

    clock[0] += settings_store.CACHE_SECONDS

    assert settings_store.read(switch) is True


@pytest.mark.parametrize(("text", "value"), [("on", True), ("TRUE", True), ("off", False), ("False", False)])
def test_flags(switch: Setting[bool], text: str, *, value: bool) -> None:
    assert switch.parse(text) is value


def test_choices_are_exact() -> None:
    color = settings_store.choice("tests.color", default="red", values=("red", "blue"), help="A color.")

    assert color.parse("blue") == "blue"
    for refused in ("", "Blue", "green"):
        with pytest.raises(InvalidSetting, match="red, blue"):
            color.parse(refused)


def test_numbers_have_bounds() -> None:
    size = settings_store.number("tests.size", default=6, low=6, high=12, help="A size.")

    assert [size.parse("6"), size.parse("12"), size.parse("007")] == [6, 12, 7]
    for refused in ("", "5", "13", "-6", "6.0", "six", "٦", "²", "9" * 5000):
        with pytest.raises(InvalidSetting, match=r"6\.\.12"):
            size.parse(refused)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("default", "text"), [(True, "on"), (None, "none"), (("a", "b"), "a,b"), ([1, 2], "1,2"), (6, "6"), ("x", "x")]
)
def test_a_value_is_shown_as_it_is_typed(default: object, text: str) -> None:
    setting = settings_store.parsed("tests.any", default=default, parse=str, accepts="anything", help="Anything.")

    assert settings_store.shown(setting) == text
