"""Searching for devices, page by page, as clients of EPMM do (specification of the REST API, 4.2, 4.3, 5 and 8)."""

from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from pytest_django import DjangoAssertNumQueries

from devices.models import Device
from devices.services import labels
from devices.services import record_pages as device_pages
from epmm.portal import record_pages
from tests.api.conftest import Script, basic, make_caller
from tests.devices.search.fleet import fleet
from users.models import AdminRole, User
from users.services import custom_attributes

pytestmark = pytest.mark.django_db(transaction=True)
QUERIES = """
common.status = "ACTIVE" AND (common.quarantined = true OR common.compliant = false OR common.security_state != "Ok")
"common.status"="ACTIVE" AND "common.compliant" = false
("common.SerialNumber" =  "AAAA1111BBBB"  OR"common.SerialNumber" =  "CCCC2222DDDD") AND "common.retired" = false
common.ip_address "contains" 10.0.0.7
common.uuid="9b0da853-0000-0000-0000-f4b5457299cf"
"common.compliant"="True"
"SerialNumber"="AAAA1111BBBB"
retired=false
samsung
""".strip().splitlines()


def search(script: Script, query: str, more: str = "") -> Any:
    return script.get(f"devices?adminDeviceSpaceId=1&query={quote(query)}&fields=common.uuid{more}")


def test_the_example_of_the_specification(script: Script, devices: list[Device]) -> None:
    found = script.get(
        'devices?adminDeviceSpaceId=1&query=common.status="ACTIVE"&fields=common.uuid,common.model&limit=1'
    )

    assert found.pop("searchTimeMillis") >= 0
    assert found.pop("currentServerTimeMilliseconds") > 1_600_000_000_000
    assert found == {
        "results": [{"common.uuid": "9b0da853-0000-0000-0000-f4b5457299cf", "common.model": "iPhone15,4"}],
        "totalCount": 2,
        "resultCount": 1,
        "hasMore": True,
        "messages": [],
    }


@pytest.mark.parametrize(("query", "number"), [*zip(QUERIES, [0, 0, 2, 1, 1, 3, 1, 2, 1], strict=True)], ids=QUERIES)
def test_queries_of_real_clients(script: Script, devices: list[Device], query: str, number: int) -> None:
    found = search(script, query)

    assert (found["totalCount"], found["resultCount"]) == (number, number)
    assert type(found["totalCount"]) is int
    assert script.get(f"devices/count?adminDeviceSpaceId=1&query={quote(query)}")["totalCount"] == number


@pytest.mark.parametrize(
    "written",
    [quote(QUERIES[2], safe=""), quote_plus(QUERIES[2]), QUERIES[2].replace(" ", "%20"), QUERIES[2].replace(" ", "+")],
    ids=["percent", "plus", "raw", "raw and plus"],
)
def test_a_query_arrives_written_in_any_way(script: Script, devices: list[Device], written: str) -> None:
    assert script.get(f"devices?adminDeviceSpaceId=1&query={written}")["totalCount"] == 2


def test_a_page_has_fifty_records_unless_another_number_is_asked_for(script: Script) -> None:
    owner = User.objects.create(user_id="owner")
    Device.objects.bulk_create([Device(user=owner, udid=f"UDID-{number}") for number in range(51)])
    User.objects.bulk_create([User(user_id=f"person{number}") for number in range(200)])

    sizes = [script.get(where)["resultCount"] for where in ("devices?query=", "devices?query=&limit=200")]
    assert sizes == [50, 51]
    people = script.get("authorized/users?adminDeviceSpaceId=1&query=")
    assert (people["resultCount"], people["totalCount"], people["hasMore"]) == (200, 202, True)


def test_a_query_may_be_longer_than_epmms_255_characters(script: Script, devices: list[Device]) -> None:
    query = " OR ".join(f'common.uuid = "{device.uuid}"' for device in devices * 60)

    assert search(script, query)["totalCount"] == 3


@pytest.mark.parametrize(
    "parameters",
    ["query=&limit=x", "query=&limit=-1", "query=&limit=1001", "query=&offset=10000001", "query=&sortOrder=UP",
     "query=&sortField=common.imei", "", "labelId=x", "query=(", "query=common.imei+%3E+3", "query=nofield%3D1",
     "query=&adminDeviceSpaceId=x", "query=%00", f"query={'x' * 20_001}"],
)  # fmt: skip
def test_what_is_wrong_is_said(script: Script, parameters: str) -> None:
    response = script.ask("GET", f"devices?{parameters}")

    assert response.status_code == 400, response.content
    [message] = response.json()["messages"]
    assert message["type"] == "Error"
    assert message["localizedMessage"]


def test_what_is_sent_by_the_portals_own_calls_is_ignored(script: Script, devices: list[Device]) -> None:
    found = script.get("devices?query=&count=7&page=3&start=9&_dc=1604911328525&labelId=-1&limit=0")

    assert (found["totalCount"], found["resultCount"], found["results"], found["hasMore"]) == (3, 0, [], True)


@pytest.mark.parametrize(
    "order",
    ["", "&sortField=common.last_connected_at&sortOrder=DESC", "&sortField=ios.DeviceName", "&sortField=common.uuid"],
)
@pytest.mark.parametrize("few", [1000, 3], ids=["few", "many"])
def test_pages_hold_each_device_once(script: Script, monkeypatch: pytest.MonkeyPatch, order: str, few: int) -> None:
    fleet(23)
    monkeypatch.setattr(record_pages, "FEW", few)
    monkeypatch.setattr(device_pages, "CAP", few)
    total = script.get("devices/count?query=")["totalCount"]
    pages = [search(script, "", f"&limit=5&offset={offset}{order}") for offset in range(0, total, 5)]
    found = [row["common.uuid"] for page in pages for row in page["results"]]

    assert total == len(found) == len(set(found)) == 23
    assert [page["hasMore"] for page in pages] == [True] * 4 + [False]
    assert {page["totalCount"] for page in pages} == {23}
    record_pages.forget()  # another process knows nothing of the pages before
    assert [row["common.uuid"] for row in search(script, "", f"&limit=5&offset=10{order}")["results"]] == found[10:15]
    assert search(script, "", f"&limit=5&offset=40{order}")["results"] == []


def test_pages_of_few_go_on_with_what_the_first_one_found(script: Script) -> None:
    fleet(5)
    Device.objects.update(status=Device.Status.ACTIVE)
    there = "common.status = ACTIVE"
    first = search(script, there, "&limit=2")
    Device.objects.order_by("pk").last().delete()  # type: ignore[union-attr] # there is one
    Device.objects.filter(pk__in=Device.objects.order_by("-pk").values("pk")[:1]).update(status=Device.Status.LOST)
    second = search(script, there, "&limit=2&offset=2")
    third = search(script, there, "&limit=2&offset=4")

    assert [page["totalCount"] for page in (first, second, third)] == [5, 5, 4]
    assert [page["resultCount"] for page in (first, second, third)] == [2, 2, 0]
    assert [page["hasMore"] for page in (first, second, third)] == [True, True, False]
    assert search(script, there, "&limit=2")["totalCount"] == 3


def test_a_far_page_is_not_counted_to_again(
    script: Script, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    fleet(30)
    for name, number in {"FEW": 3, "STEP": 2}.items():
        monkeypatch.setattr(record_pages, name, number)
    counted: list[int] = []
    place = record_pages._place

    def noted(*asked: Any) -> str:
        counted.append(asked[-1])
        return place(*asked)

    monkeypatch.setattr(record_pages, "_place", noted)
    for offset in (20, 25):
        search(script, "", f"&limit=5&offset={offset}")

    assert counted == [20]


def test_clients_that_page_by_number_come_to_an_end(script: Script, devices: list[Device]) -> None:
    numbers = []
    for page in range(10):
        found = search(script, "", f"&limit=2&offset={page}")
        numbers.append(found["resultCount"])
        if not found["hasMore"]:
            break

    assert numbers == [2, 2]


def test_search_by_label(script: Script, devices: list[Device]) -> None:
    label = labels.create("Late", criteria='common.SerialNumber = "CCCC2222DDDD"', actor="test")

    assert script.get(f"devices?labelId={label.pk}&fields=common.uuid")["totalCount"] == 1
    assert script.get(f"devices?labelId={label.pk}&query=SerialNumber=x&fields=common.uuid")["totalCount"] == 0
    assert script.get(f"devices/count?labelId={label.pk}")["totalCount"] == 1
    assert script.ask("GET", "devices?labelId=99999").status_code == 404


def test_a_page_costs_the_same_however_long_it_is(script: Script, django_assert_max_num_queries: Any) -> None:
    custom_attributes.define("device", "place", "text", actor="test")
    custom_attributes.define("user", "room", "text", actor="test")
    fleet(40)
    names = quote("custom.device.place,custom.user.room,user.dn,user.ldap.groups.name,user.upn")
    script.get("ping")
    for limit in (5, 40):
        with django_assert_max_num_queries(12):  # with the transaction, its limit of time, and settings once a second
            script.get(f"devices?query=common.status=ACTIVE&limit={limit}")
        with django_assert_max_num_queries(18):
            script.get(f"devices?query=&limit={limit}&fields={names}")


def test_looking_needs_its_role(transactional_db: None) -> None:
    make_caller("reader", [AdminRole.API, AdminRole.USER_VIEW])

    response = Script(basic("reader")).ask("GET", "devices?query=(")
    assert response.status_code == 403  # before anybody looks at the query
    assert response.json()["messages"][0]["messageKey"] == "epmm.role.missing"
