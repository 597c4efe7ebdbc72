"""Devices, as scripts of our own API look for them."""

import csv
import io
import json
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest

from devices.api.x import devices as view
from devices.models import Device
from devices.services import labels, search, seeding
from epmm.portal import record_pages
from tests.api.conftest import Script
from tests.api.x.conftest import problem
from users.services import administrators, people

pytestmark = pytest.mark.django_db(transaction=True)
ACTIVE = quote('common.status = "ACTIVE"')


@pytest.fixture
def fleet(script: Script) -> list[Device]:
    seeding.seed(devices=40, users=5)
    return list(Device.objects.order_by("pk"))


def uuids(page: Any) -> list[str]:
    return [each["uuid"] for each in page["items"]]


@pytest.mark.parametrize("sort", ["id", "-last_seen_at", "user", "-serial_number", "registered_at"])
@pytest.mark.parametrize("few", [1000, 3])
def test_pages_lead_through_all_that_match(
    script: Script, fleet: list[Device], monkeypatch: pytest.MonkeyPatch, sort: str, few: int
) -> None:
    """In whichever of the two ways they are found."""
    monkeypatch.setattr(record_pages, "FEW", few)
    where, seen = f"devices?limit=7&retired=true&sort={sort}", []
    while where:
        page = script.get(where)
        seen += uuids(page)
        where = page["next"]

    assert len(seen) == 40
    assert set(seen) == {str(device.uuid) for device in fleet}


def test_devices_are_searched_for_and_tell_the_fields_that_are_asked_for(script: Script, fleet: list[Device]) -> None:
    page = script.get(f"devices?query={ACTIVE}&fields=common.language,common.SerialNumber&limit=200")
    count = Device.objects.filter(status="ACTIVE").count()
    assert len(page["items"]) == count
    first = page["items"][0]
    assert first["values"]["common.SerialNumber"] == first["serial_number"]
    assert script.get(f"devices/count?query={ACTIVE}") == {"count": count, "has_more": False}
    label = labels.create("Phones", criteria='common.platform = "iOS"', actor="test")
    phones = script.get(f"devices?label={label.pk}&limit=200")["items"]
    assert {each["platform"] for each in phones} == {"iOS"}


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ("query=common.nonsense%20%3D%201", 400, None), ("fields=common.nonsense", 400, "fields"),
        ("label=4711", 400, "label"), ("label=x", 400, "label"), ("sort=imei", 400, "sort"),
        ("cursor=x", 400, "cursor"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_told(script: Script, query: str, status: int, parameter: str | None) -> None:
    told = problem(script.ask("GET", f"devices?{query}"), status)

    assert [each["parameter"] for each in told.get("errors", ())] == ([parameter] if parameter else [])


def test_one_device_comes_with_its_inventory(
    script: Script, fleet: list[Device], django_assert_max_num_queries: Any
) -> None:
    device = fleet[0]
    for number in range(30):
        device.applications.create(identifier=f"com.example.a{number}", name="App")
    device.certificates.create(common_name="CA", der=b"x")
    device.local_users.create(name="mia", full_name="Mia Ito", guid="4A6C", is_logged_in=True)
    script.get("devices/count")  # by then it is known who calls
    with django_assert_max_num_queries(19):
        found = script.get(f"devices/{device.uuid}")

    assert len(found["apps"]) == 30
    assert [each["common_name"] for each in found["certificates"]] == ["CA"]
    assert found["local_users"] == [
        {"name": "mia", "full_name": "Mia Ito", "guid": "4A6C", "logged_in": True, "secure_token": None}
    ]
    assert found["values"]["common.uuid"] == str(device.uuid)
    problem(script.ask("GET", "devices/9b0da853-0000-0000-0000-000000000000"), 404)


def test_a_page_costs_the_same_however_long_it_is(
    script: Script, fleet: list[Device], django_assert_max_num_queries: Any
) -> None:
    script.get("devices?limit=1")
    with django_assert_max_num_queries(10):
        assert len(script.get("devices?retired=true")["items"]) == 40


@pytest.mark.usefixtures("fleet")
def test_a_count_ends_somewhere_unless_it_must_be_exact(script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "counted", partial(search.counted, cap=3))

    assert script.get("devices/count?retired=true") == {"count": 3, "has_more": True}
    assert script.get("devices/count?retired=true&exact=true") == {"count": 40, "has_more": False}


def test_an_export_streams_all_of_them(
    script: Script, fleet: list[Device], monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(view, "AT_ONCE", 15)
    script.get("devices/count")
    with django_assert_max_num_queries(20):  # three bites, each with a transaction and its patience
        answer = script.ask("GET", "devices/export?retired=true&fields=common.language")
        assert answer.streaming
        lines = b"".join(answer.streaming_content).decode().splitlines()
    assert answer["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line)["uuid"] for line in lines] == [str(device.uuid) for device in fleet]

    Device.objects.filter(pk=fleet[0].pk).update(device_name="=1+1")
    answer = script.ask("GET", "devices/export?format=csv&retired=true&fields=common.language")
    table = list(csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert (len(table), table[0]["device_name"]) == (40, "'=1+1")
    assert "common.language" in table[0]
    problem(script.ask("GET", "devices/export?query=%28"), 400)


def test_what_is_hidden_stays_hidden_in_each_form(script: Script, fleet: list[Device]) -> None:
    administrators.set_gdpr_profile(people.by_user_id("script"), hides=True, actor="test")
    device = fleet[0]
    device.certificates.create(common_name="Mia", der=b"x")
    device.local_users.create(name="mia", full_name="Mia Ito")

    [row, *_] = script.get("devices?fields=common.SerialNumber")["items"]
    assert (row["user_id"], row["serial_number"], row["values"]["common.SerialNumber"]) == ("*****", "", None)
    answer = script.ask("GET", "devices/export?format=csv&fields=user.email_address")
    whole = b"".join(answer.streaming_content).decode()
    assert device.user.user_id not in whole
    assert seeding.DOMAIN not in whole
    found = script.get(f"devices/{device.uuid}")
    assert (found["certificates"], found["local_users"]) == ([], [])
    for refused in ("sort=serial_number", "query=common.SerialNumber%20%3D%20A"):
        problem(script.ask("GET", f"devices?{refused}"), 400)
