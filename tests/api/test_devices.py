"""Searching for devices, as clients of EPMM do (specification of the REST API, 4.1 to 4.3, 5, 6 and 8)."""

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import UUID

import pytest
from pytest_django import DjangoAssertNumQueries

from devices.models import Device
from devices.search.catalogue import FIELDS
from devices.search.fields import Field, Kind
from devices.search.sources import Nowhere
from devices.services import field_values, labels
from devices.services import record_pages as device_pages
from devices.services.search import matching, understand
from epmm.portal import record_pages
from tests.api.conftest import Script, basic, make_caller
from tests.devices.search.fleet import fleet
from users.models import AdminRole, CustomAttribute, User
from users.services import administrators, custom_attributes, people

pytestmark = pytest.mark.django_db(transaction=True)
# Of the specification, 6.3, without custom attributes.
DOCUMENTED = [
    f"{group}.{name.replace('~', ' ')}"
    for group, names in {
        "common": """background_status battery_level client_name client_version clientId comment compliant creation_date
            current_phone_number data_protection_enabled data_protection_reasons device_admin_enabled
            device_is_compromised device_space_name ccm_migration_status home_country_name home_operator_name id imei
            imsi ip_address language last_connected_at locale manufacturer mdm_managed memory_capacity memory_free
            miclient_last_connected_at model noncompliance_reasons os_version owner platform platform_name quarantined
            quarantined_reasons registration_date status storage_capacity storage_free uuid""",
        "ios": """DataRoamingEnabled DeviceName iPhone~ICCID iPhone~MAC_ADDRESS_EN0 iPhone~UDID iPhone~VERSION
            wakeup_status""",
        "user": "display_name email_address user_id",
        "android": "afw_capable attestation",
    }.items()
    for name in names.split()
]
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


@pytest.fixture
def devices(script: Script) -> list[Device]:
    anna = User.objects.create(user_id="anna", first_name="Anna", last_name="Ito", email="anna@corp.example")
    common = {"user": anna, "mdm_managed": True, "platform": "iOS", "os_version": "18.2", "os_version_number": 18002000}
    return [
        Device.objects.create(
            uuid=UUID("9b0da853-0000-0000-0000-f4b5457299cf"), status="ACTIVE", serial_number="AAAA1111BBBB",
            device_name="Anna's iPhone", product_name="iPhone15,4", wifi_mac="F4B5457299CF", battery_level=0.57,
            ip_address="10.0.0.7", udid="UDID-1",
            registered_at=datetime(2020, 11, 9, 7, 38, 22, 5000, UTC), phone_number="+49151", **common
        ),
        Device.objects.create(status="ACTIVE", serial_number="CCCC2222DDDD", owner="EMPLOYEE", udid="UDID-2", **common),
        Device.objects.create(status="RETIRED", serial_number="EEEE3333FFFF", device_name="samsung", **common),
    ]  # fmt: skip


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


def test_values_have_the_formats_of_epmm(script: Script, devices: list[Device]) -> None:
    names = (
        "common.id", "common.registration_date", "common.last_connected_at", "common.owner", "common.status",
        "common.security_state", "common.current_phone_number", "common.wifi_mac_address", "common.compliant",
        "common.quarantined", "common.battery_level", "common.imei", "android.attestation", "common.clientId",
        "common.noncompliance_reasons", "ios.iPhone UDID", "user.user_id", "common.location", "user.sam_account_name",
    )  # fmt: skip
    [first, second] = script.get(f"devices?adminDeviceSpaceId=1&query=retired=false&fields={quote(','.join(names))}")[
        "results"
    ]

    assert first == {
        "common.id": devices[0].pk,
        "common.registration_date": "2020-11-09T07:38:22.005Z",
        "common.last_connected_at": None,
        "common.owner": "COMPANY",
        "common.status": "ACTIVE",
        "common.security_state": "Ok",
        "common.current_phone_number": "+49151",
        "common.wifi_mac_address": "f4b5457299cf",
        "common.compliant": True,
        "common.quarantined": False,
        "common.battery_level": 57,
        "common.imei": None,
        "android.attestation": None,
        "common.clientId": None,
        "common.noncompliance_reasons": [],
        "ios.iPhone UDID": "UDID-1",
        "user.user_id": "anna",
        "common.location": None,
        "user.sam_account_name": None,
    }
    [person] = script.get("authorized/users?query=anna")["results"]
    assert person["principal"] == first["user.user_id"]
    assert (second["common.current_phone_number"], second["common.owner"]) == ("PDA", "EMPLOYEE")


@pytest.mark.parametrize(
    ("fields", "keys", "unknown"),
    [
        ("%0Acommon.uuid,%20common.model%0D%0A,common.uuid,", {"common.uuid", "common.model"}, False),
        ("common.uuid,common.modell", {"common.uuid"}, True),
        ("common.uuid,common.modelcommon.owner", {"common.uuid"}, True),
        ("SerialNumber", {"SerialNumber"}, False),
        ("nothing.at.all", set(), True),
    ],
    ids=["line breaks", "misspelt", "glued", "no prefix", "none known"],
)
def test_fields_are_tolerated(
    script: Script, devices: list[Device], fields: str, keys: set[str], *, unknown: bool
) -> None:
    found = script.get(f"devices?adminDeviceSpaceId=1&query=&fields={fields}")

    assert found["results"][0].keys() == keys
    assert [(each["type"], each["messageKey"]) for each in found["messages"]] == (
        [("Info", "epmm.fields.unknown")] if unknown else []
    )


def test_without_fields_comes_the_documented_list(script: Script, devices: list[Device]) -> None:
    custom_attributes.define("device", "place", "text", actor="test")
    custom_attributes.define("user", "room", "text", actor="test")
    found = script.get("devices?adminDeviceSpaceId=1&query=")["results"][0]

    assert set(found) == {*DOCUMENTED, "custom.device.place"}
    named = script.get(f"devices?adminDeviceSpaceId=1&query=&fields={quote(','.join(DOCUMENTED))}")
    assert set(named["results"][0]) == set(DOCUMENTED)
    assert named["messages"] == []
    foreign = script.get("devices?query=&fields=windows_phone.health_data_bit_locker_status,android.security_patch")
    assert set(foreign["results"][0].values()) == {None}


def test_a_page_has_fifty_records_unless_another_number_is_asked_for(script: Script) -> None:
    owner = User.objects.create(user_id="owner")
    Device.objects.bulk_create([Device(user=owner, udid=f"UDID-{number}") for number in range(51)])
    User.objects.bulk_create([User(user_id=f"person{number}") for number in range(200)])

    sizes = [script.get(where)["resultCount"] for where in ("devices?query=", "devices?query=&limit=200")]
    assert sizes == [50, 51]
    people = script.get("authorized/users?adminDeviceSpaceId=1&query=")
    assert (people["resultCount"], people["totalCount"], people["hasMore"]) == (200, 202, True)


def test_what_somebody_typed_is_told_as_it_is_and_never_carried_out(script: Script, devices: list[Device]) -> None:
    typed = "{0.__class__}${7*7}%s<b>"
    [message] = script.get(f"devices?query=&fields=common.uuid,{quote(typed)}")["messages"]
    assert typed in message["localizedMessage"]

    status = f'common.status = "{typed}"'
    refused = script.ask("GET", f"devices?query={quote(status)}")
    assert refused.status_code == 400
    assert "49" not in refused.json()["messages"][0]["localizedMessage"]
    where = script.ask("GET", f"devices?query={quote('common.status = ACTIVE AND common.imei > 3')}").json()
    assert "at character 40" in where["messages"][0]["localizedMessage"]


def test_a_query_may_be_longer_than_epmms_255_characters(script: Script, devices: list[Device]) -> None:
    query = " OR ".join(f'common.uuid = "{device.uuid}"' for device in devices * 60)

    assert search(script, query)["totalCount"] == 3


def test_all_field_names_on_a_line_of_32_kb(script: Script, devices: list[Device]) -> None:
    names = ",".join(field.key for field in FIELDS.fields) + "," + "x" * 30_000
    found = script.get(f"devices?adminDeviceSpaceId=1&query=&fields={quote(names[:31_000])}")

    assert len(found["results"][0]) == len(FIELDS.fields)


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


def test_search_fields_are_those_that_can_be_searched(script: Script, devices: list[Device]) -> None:
    found = script.get("devices/search_fields?adminDeviceSpaceId=1")
    names = {each["name"] for each in found["results"]}

    assert found["totalCount"] == len(names) == len(FIELDS.fields)
    assert "common.location" not in names
    status = next(each for each in found["results"] if each["name"] == "common.status")
    assert status.keys() == {"name", "displayName", "type", "operators", "values", "category"}
    assert (status["type"], status["operators"][:2], status["category"]) == ("STRING", ["=", "!="], "COMMON")
    assert set(Device.Status.values) <= set(status["values"])
    assert script.get("device_spaces/criteria?adminDeviceSpaceId=1") == found  # where a connector looks for it
    for name in names:
        understand(f'"{name}" "is empty"')  # refuses what is unknown


def test_details_are_names_and_values(script: Script, devices: list[Device]) -> None:
    found = script.get(f"devices/{devices[0].uuid}/details")
    values = {each["name"]: each["value"] for each in found["results"]}

    assert values["common.uuid"] == str(devices[0].uuid)
    assert values["common.SerialNumber"] == "AAAA1111BBBB"
    assert script.get(f"devices/{str(devices[0].uuid).upper()}/details") == found
    for unknown in ("9b0da853-0000-0000-0000-000000000000", "x", "%00"):
        assert script.ask("GET", f"devices/{unknown}/details").status_code == 404


def test_each_value_that_is_told_finds_its_device(script: Script) -> None:
    """What a field is and what is searched for are one and the same."""
    fleet(30)
    everything = {row["common.uuid"]: row for row in _all(script)}
    for field in FIELDS.fields:
        known = {uuid: row[field.key] for uuid, row in everything.items()}
        unset = {uuid for uuid, value in known.items() if not _each(value)}
        assert _found(f'"{field.key}" "is empty"') == unset, field.key
        if isinstance(field.source, Nowhere):
            assert field.key not in field_values.READ
            continue
        for value in {_written(one) for told in known.values() for one in _each(told)}:
            if field.kind is Kind.VERSION and not re.fullmatch(r"[\d.]+", value):
                continue
            alike = {uuid for uuid, other in known.items() if any(_is_same(field, one, value) for one in _each(other))}
            assert _found(f'"{field.key}" = "{value}"') == alike, (field.key, value)


def _all(script: Script) -> list[dict[str, Any]]:
    names = quote(",".join(field.key for field in FIELDS.fields))
    found: list[dict[str, Any]] = script.get(f"devices?query=&limit=200&fields={names}")["results"]
    return found


def _found(query: str) -> set[str]:
    return {str(uuid) for uuid in matching(query, exclude_retired=False).values_list("uuid", flat=True)}


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _written(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _is_same(field: Field, other: Any, value: str) -> bool:
    if field.kind is Kind.VERSION:
        return _parts(str(other)) == _parts(value)
    normalize = getattr(field.source, "normalize", str.casefold)
    return bool(normalize(_written(other)) == normalize(value))


def _parts(text: str) -> list[int] | None:
    if not re.fullmatch(r"[\d.]+", text):
        return None
    return ([int(part) for part in text.split(".")] + [0, 0])[:3]


def test_a_page_costs_the_same_however_long_it_is(script: Script, django_assert_max_num_queries: Any) -> None:
    custom_attributes.define("device", "place", "text", actor="test")
    custom_attributes.define("user", "room", "text", actor="test")
    fleet(40)
    names = quote("custom.device.place,custom.user.room,user.dn,user.ldap.groups.name,user.upn")
    script.get("ping")
    for limit in (5, 40):
        with django_assert_max_num_queries(18):
            script.get(f"devices?query=&limit={limit}&fields={names}")


def test_custom_attributes_have_their_kind(script: Script, devices: list[Device]) -> None:
    for name, kind, text in (("place", "text", "Roof"), ("weight", "number", "3.5"), ("leased", "boolean", "true")):
        attribute = custom_attributes.define("device", name, kind, actor="test")
        custom_attributes.write(_model(), {"device": devices[0]}, {attribute: text})

    fields = "custom.device.place,custom.device.weight,custom.device.leased"
    row = script.get(f"devices?query=&fields={fields}")["results"][0]
    assert row == {"custom.device.place": "Roof", "custom.device.weight": 3.5, "custom.device.leased": True}


def _model() -> Any:
    from devices.models import DeviceAttribute

    assert CustomAttribute.objects.exists()
    return DeviceAttribute


def test_personal_data_are_hidden_by_the_gdpr_profile(script: Script, devices: list[Device]) -> None:
    from epmm import options, settings_store

    settings_store.change(options.HIDDEN_FIELDS.name, "user_id,name,serial,device_name", actor="test")
    administrators.set_gdpr_profile(people.by_user_id("script"), hides=True, actor="test")
    Device.objects.filter(pk=devices[0].pk).update(comment="Anna's second one")
    names = "common.uuid,common.SerialNumber,user.user_id,user.display_name,ios.DeviceName,user.email_address"
    names += ",common.comment"
    [row] = script.get(f"devices?query=common.uuid={devices[0].uuid}&fields={names}")["results"]

    assert row == {
        "common.uuid": str(devices[0].uuid),
        "common.SerialNumber": None,
        "user.user_id": "*****",
        "user.display_name": "*****",
        "ios.DeviceName": "*****",
        "user.email_address": "anna@corp.example",
        "common.comment": None,
    }
    assert script.ask("GET", "devices?query=SerialNumber=AAAA1111BBBB").status_code == 400
    assert script.ask("GET", "devices?query=&sortField=common.SerialNumber").status_code == 400
    assert script.ask("GET", "authorized/users").status_code == 403
    fields = {each["name"] for each in script.get("devices/search_fields")["results"]}
    assert "common.SerialNumber" not in fields


def test_looking_needs_its_role(transactional_db: None) -> None:
    make_caller("reader", [AdminRole.API, AdminRole.USER_VIEW])

    response = Script(basic("reader")).ask("GET", "devices?query=(")
    assert response.status_code == 403  # before anybody looks at the query
    assert response.json()["messages"][0]["messageKey"] == "epmm.role.missing"
