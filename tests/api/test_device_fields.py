"""What is told of devices, and by which names (specification of the REST API, 4.3, 6 and 8)."""

import re
from typing import Any
from urllib.parse import quote

import pytest

from devices.models import Device, DeviceAttribute
from devices.search.catalogue import FIELDS
from devices.search.fields import Field, Kind
from devices.search.sources import Nowhere
from devices.services import field_values
from devices.services.search import matching, understand
from epmm import options, settings_store
from tests.api.conftest import Script
from tests.devices.search.fleet import fleet
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


def test_all_field_names_on_a_line_of_32_kb(script: Script, devices: list[Device]) -> None:
    names = ",".join(field.key for field in FIELDS.fields) + "," + "x" * 30_000
    found = script.get(f"devices?adminDeviceSpaceId=1&query=&fields={quote(names[:31_000])}")

    assert len(found["results"][0]) == len(FIELDS.fields)


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


def test_custom_attributes_have_their_kind(script: Script, devices: list[Device]) -> None:
    for name, kind, text in (("place", "text", "Roof"), ("weight", "number", "3.5"), ("leased", "boolean", "true")):
        attribute = custom_attributes.define("device", name, kind, actor="test")
        custom_attributes.write(DeviceAttribute, {"device": devices[0]}, {attribute: text})

    fields = "custom.device.place,custom.device.weight,custom.device.leased"
    row = script.get(f"devices?query=&fields={fields}")["results"][0]
    assert row == {"custom.device.place": "Roof", "custom.device.weight": 3.5, "custom.device.leased": True}


def test_personal_data_are_hidden_by_the_gdpr_profile(script: Script, devices: list[Device]) -> None:
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
