"""The older Web Services API, for shipped connectors (specification of the REST API, section 9)."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from pytest_django import DjangoAssertNumQueries

from devices.api import asked
from devices.models import Command, Device, Enrollment, LabelMember
from devices.services import labels, seeding
from epmm import mail_options, options, settings_store
from epmm.models import AuditEntry, Mail
from epmm.portal import record_pages
from tests import directories
from tests.api.conftest import Script, basic, make_caller
from users.models import AdminRole, User
from users.services.directory import client

pytestmark = pytest.mark.django_db(transaction=True)
JSON = {"Accept": "application/json"}
MAC = "F4B5457299CF"
NOBODY = "9b0da853-0000-0000-0000-000000000000"


@pytest.fixture
def connector(script: Script) -> Script:
    seeding.seed(devices=20, users=4)
    Enrollment.objects.update(unlock_token=b"t")
    return Script(basic("script"), base="/api/v1/")


@pytest.fixture
def phone(connector: Script) -> Device:
    found = Device.objects.filter(status="ACTIVE", platform="iOS", enrollment_type="adde").exclude(phone_number="")
    device = found.order_by("pk").first()
    assert device is not None
    Device.objects.filter(pk=device.pk).update(wifi_mac=MAC)
    return device


KEYS = set(
    """uuid status statusCode platform platformType model name manufacturer principal userId userUUID userDisplayName
    userFirstName userLastName emailAddress emailDomain userSource currentPhoneNumber operator homeOperator countryCode
    countryName registeredAt createdAt lastConnectedAt mdmManaged employeeOwned compliance quarantinedStatus blockReason
    wipeReason comment clientId regType regCount deviceCount notifyUser details""".split()  # noqa: SIM905 - a table
)


@pytest.mark.parametrize("few", [1000, 2], ids=["few", "many"])
def test_pages_hold_each_device_once(connector: Script, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(record_pages, "FEW", few)
    total = 1
    found: list[str] = []
    while len(found) < total:
        page = connector.get(f"dm/devices?limit=6&offset={len(found)}", **JSON)
        total = page["totalCount"]
        found += [device["uuid"] for device in page["devices"]["device"]]

    assert total == len(found) == Device.objects.count()
    assert set(found) == {str(device.uuid) for device in Device.objects.all()}


def test_devices_in_json_and_xml(connector: Script, phone: Device) -> None:
    active = Device.objects.filter(status="ACTIVE").count()
    found = connector.get("dm/devices?status=ACTIVE&limit=3", **JSON)

    assert found["totalCount"] == active
    assert len(found["devices"]["device"]) == 3
    response = connector.ask(
        "GET", "dm/devices?status=ACTIVE&limit=3", Accept="text/html, application/xml;q=0.9, */*;q=0.8"
    )
    assert response["Content-Type"].startswith("application/xml")
    tree = ET.fromstring(response.content)
    assert tree.findtext("totalCount") == str(active)
    assert [each.findtext("uuid") for each in tree.iter("device")] == [
        each["uuid"] for each in found["devices"]["device"]
    ]


@pytest.mark.parametrize("accept", [{}, {"Accept": "*/*"}, {"Accept": "application/xml, application/json"}])
def test_json_for_whoever_does_not_ask_for_xml(connector: Script, accept: dict[str, str]) -> None:
    """Scripts that read JSON send what their library sends."""
    assert connector.get("dm/devices?limit=1", **accept)["totalCount"] == Device.objects.count()
    for nowhere in ("dm/devices/mac/000000000000", "nothing"):
        assert connector.ask("GET", nowhere, **accept).json()["messages"]["message"]


@pytest.mark.parametrize("where", ["dm/devices/{uuid}", "dm/devices/mac/f4:b5:45:72:99:cf", "dm/devices/{uuid}/"])
def test_one_device(connector: Script, phone: Device, where: str) -> None:
    found = connector.get(where.format(uuid=phone.uuid), **JSON)

    assert found["totalCount"] == 1
    device = found["device"]
    assert set(device) == KEYS
    assert (device["uuid"], device["status"], device["statusCode"]) == (str(phone.uuid), "ACTIVE", 97)
    assert (device["principal"], device["employeeOwned"]) == (phone.user.user_id, phone.owner == "EMPLOYEE")
    assert (device["compliance"], device["quarantinedStatus"], device["blockReason"]) == (0, 0, 0)
    [details] = device["details"]  # a list, and names without groups: as clients index them
    told = {each["key"]: each["value"] for each in details["entry"]}
    assert (told["SerialNumber"], told["iPhone UDID"], told["platform"]) == (phone.serial_number, phone.udid, "iOS")
    assert told["user.user_id"] == phone.user.user_id
    assert len(told) == len(details["entry"])


def test_devices_by_user_phone_and_label(connector: Script, phone: Device) -> None:
    label = labels.create("Sales team", actor="test")
    labels.add(label, phone, actor="test")
    number = phone.phone_number.lstrip("+")
    for where in (f"dm/phones/{number}", "dm/labels/sales%20team"):
        [device] = connector.get(where, **JSON)["devices"]["device"]
        assert device["uuid"] == str(phone.uuid)
    everything = connector.get(f"dm/users/{phone.user.user_id}", **JSON)
    assert everything["totalCount"] == phone.user.devices.count()
    assert "Sales team" in {each["name"] for each in connector.get("dm/labels", **JSON)["labels"]["label"]}
    of_device = connector.get(f"dm/labels/devices/{phone.uuid}", **JSON)["labels"]["label"]
    assert "Sales team" in {each["name"] for each in of_device}
    assert connector.get(f"sm/users/{phone.user.user_id}", **JSON)["user"]["emailAddress"] == phone.user.email


@pytest.mark.parametrize(
    "where",
    [f"dm/devices/{NOBODY}", "dm/devices?status=INFECTED", "dm/devices/mac/000000000000", "dm/users/nobody",
     "dm/phones/0", "dm/phones/x", "dm/labels/nobody", f"dm/labels/devices/{NOBODY}", "sm/users/nobody", "nothing",
     "no%0athing"],
)  # fmt: skip
def test_no_data_is_a_404(connector: Script, where: str) -> None:
    response = connector.ask("GET", where, **JSON)

    assert response.status_code == 404
    assert response.json()["messages"]["message"]
    assert ("totalCount" in response.json()) is ("thing" not in where)  # nothing there, or no such address
    assert Script(None, base="/api/v1/").ask("GET", where).status_code == 401


@pytest.mark.parametrize("is_by_mac", [False, True])
@pytest.mark.parametrize(
    ("order", "request_type"),
    [("lock", "DeviceLock"), ("wipe", "EraseDevice"), ("retire", "RemoveProfile"), ("unlock", "ClearPasscode")],
)
def test_orders(connector: Script, phone: Device, order: str, request_type: str, is_by_mac: bool) -> None:  # noqa: FBT001
    by = f"mac/{MAC.lower()}" if is_by_mac else str(phone.uuid)
    where = f"dm/devices/{order}/{by}?{'reason' if order == 'wipe' else 'Reason'}=lost"

    assert connector.ask("PUT", where, **JSON).json() == {"messages": {"message": "Done."}}
    last = Command.objects.order_by("pk").last()
    assert last is not None
    assert last.request_type == request_type
    entry = AuditEntry.objects.filter(action="command.queued").last()
    assert entry is not None
    assert entry.details["note"] == "lost"
    Device.objects.filter(pk=phone.pk).update(status="RETIRED")
    assert connector.ask("PUT", where, **JSON).status_code == 409


@pytest.mark.parametrize("where", ["dm/devices/unlock/{uuid}", "dm/devices/unlock/mac/f4b5457299cf"])
def test_unlocking_by_get_is_a_setting(connector: Script, phone: Device, where: str) -> None:
    where = where.format(uuid=phone.uuid)

    assert connector.ask("GET", where).status_code == 405
    assert not Command.objects.exists()
    settings_store.change(options.API_UNLOCK_ON_GET.name, "on", actor="test")
    assert connector.ask("GET", where).status_code == 200
    assert Command.objects.count() == 1


def test_of_several_with_an_address_the_one_that_stands_is_meant(connector: Script, phone: Device) -> None:
    older, newer = Device.objects.exclude(pk=phone.pk).order_by("pk")[0], Device.objects.order_by("-pk")[0]
    Device.objects.filter(pk__in=[older.pk, newer.pk]).update(wifi_mac=MAC, status="RETIRED")

    assert connector.get(f"dm/devices/mac/{MAC}")["device"]["uuid"] == str(phone.uuid)
    Device.objects.filter(pk=phone.pk).update(status="RETIRED")
    assert connector.get(f"dm/devices/mac/{MAC}")["device"]["uuid"] == str(newer.uuid)


def test_many_addresses_are_looked_for_at_once(
    connector: Script, phone: Device, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    other = Device.objects.exclude(pk=phone.pk)[0]
    Device.objects.filter(pk=other.pk).update(wifi_mac="0123456789AB")

    with django_assert_num_queries(1):  # each would look through all devices
        found = asked.devices_with_macs(["01:23:45:67:89:ab", MAC, MAC.lower()])
    assert found == [other, phone, phone]


def test_labels_of_several_devices(connector: Script, phone: Device) -> None:
    other = Device.objects.filter(status="ACTIVE").exclude(pk=phone.pk)[0]
    sales, pilot = labels.create("Sales team", actor="test"), labels.create("Pilot/1", actor="test")
    labels.add(sales, other, actor="test")
    where = f"dm/labels/sales%20team,Pilot/1/{phone.uuid},{other.uuid}"

    assert connector.ask("PUT", where).status_code == 400
    assert connector.ask("PUT", f"{where}?action=delete").status_code == 400
    told = connector.ask("PUT", f"{where}?Action=apply").json()["messages"]["message"]
    assert told == f"Sales team, {other.uuid}: It has this label already."
    members = set(LabelMember.objects.values_list("label", "device"))
    assert members >= {(each.pk, device.pk) for each in (sales, pilot) for device in (phone, other)}
    assert connector.ask("PUT", f"{where}?action=remove").json() == {"messages": {"message": "Done."}}
    assert not LabelMember.objects.filter(label__in=[sales, pilot]).exists()
    calls = AuditEntry.objects.filter(action="api.call").order_by("-pk")[:2]
    assert [each.details["parameters"] for each in calls] == [{"action": "remove"}, {"action": "apply"}]
    assert connector.ask("PUT", f"{where}?action=remove").status_code == 409
    assert connector.ask("PUT", f"dm/labels/Sales team/{NOBODY}?action=apply").status_code == 404
    assert connector.ask("PUT", f"dm/labels/nothing/{phone.uuid}?action=apply").status_code == 404
    assert connector.ask("PUT", "dm/labels/Sales team?action=apply").status_code == 404
    many = ",".join(["Sales team"] * 501)
    assert connector.ask("PUT", f"dm/labels/{many}/{phone.uuid},{other.uuid}?action=apply").status_code == 400


def test_registering_a_device(connector: Script) -> None:
    person = User.objects.create(user_id="mia")
    query = "userId=mia&platform=I&pda=true&countryCode=AT&isEmployeeOwned=true&operator=A1&deviceType=iPhone"
    told = connector.ask("PUT", f"dm/register?{query}", **JSON).json()

    device = Device.objects.get(user=person)
    expected = {"status": "SUCCESS", "userId": "mia", "platform": "iOS", "deviceUuid": str(device.uuid)}
    assert told == {"registration": expected}
    assert (device.status, device.owner) == ("VERIFICATION_PENDING", "EMPLOYEE")
    assert connector.get(f"dm/devices/{device.uuid}", **JSON)["device"]["operator"] == "A1"


def test_a_registration_as_powershell_modules_write_it(connector: Script) -> None:
    """Names in small letters, a dialling code for a country, `pda` for a number."""
    person = User.objects.create(user_id="mia")
    told = connector.ask(
        "PUT", "dm/register?userId=mia&platform=I&phoneNumber=pda&devicetype=pda&notifyuser=False"
    ).json()

    device = Device.objects.get(user=person)
    assert told["registration"]["deviceUuid"] == str(device.uuid)
    assert device.phone_number == ""
    query = "userid=mia&platform=I&phonenumber=5551212&countrycode=1&isemployeeowned=True&notifyuserbysms=true"
    again = connector.ask("PUT", f"dm/register?{query}").json()
    assert "SMS" in again["messages"]["message"]
    device = Device.objects.filter(user=person).order_by("-pk")[0]
    assert (device.phone_number, device.owner, device.home_country) == ("5551212", "EMPLOYEE", "")
    entry = AuditEntry.objects.filter(action="api.call").order_by("-pk")[0]
    assert (entry.details["parameters"]["userid"], entry.details["parameters"]["phonenumber"]) == ("mia", "*****")


def test_whoever_is_not_known_is_added_by_who_may_manage_users(connector: Script) -> None:
    names = "userFirstName=Ada&userLastName=Ito&userEmailAddress=ada@example.com"
    where = f"dm/register?userId=ada&platform=I&operator=PDA&{names}"
    make_caller("enroller", [AdminRole.API, AdminRole.DEVICE_ENROLL])
    assert Script(basic("enroller"), base="/api/v1/").ask("PUT", where).status_code == 403
    assert connector.ask("PUT", f"{where}&notifyUser=true").status_code == 400  # no mail server is set up
    assert not User.objects.filter(user_id="ada").exists()

    told = connector.ask("PUT", f"{where}&notifyUserBySMS=true", **JSON).json()
    ada = User.objects.get(user_id="ada")
    assert (ada.first_name, ada.last_name, ada.email, ada.source) == ("Ada", "Ito", "ada@example.com", "local")
    assert ada.granted_role_keys() == {"portal"}
    assert told["registration"]["deviceUuid"] == str(ada.devices.get().uuid)
    assert (ada.devices.get().current_carrier, "SMS" in told["messages"]["message"]) == ("", True)
    assert connector.ask("PUT", where.replace("Ada", "Eve"), **JSON).status_code == 200
    assert (ada.devices.count(), User.objects.get(user_id="ada").first_name) == (1, "Ada")


@pytest.mark.service("slapd")
def test_whoever_is_not_known_is_taken_from_a_directory(connector: Script, tmp_path: Path) -> None:
    client.forget_failures()
    where = "dm/register?userId={}&platform=I&importUserFromLdap=true"
    with directories.running(tmp_path / "slapd") as server:
        server.add_person("ada")
        directories.directory(server)
        make_caller("enroller", [AdminRole.API, AdminRole.DEVICE_ENROLL])
        assert Script(basic("enroller"), base="/api/v1/").ask("PUT", where.format("ada")).status_code == 403
        for nobody in ("nobody", "a*", ""):
            assert connector.ask("PUT", where.format(nobody)).status_code == 404
        assert connector.ask("PUT", where.format("ada")).status_code == 200
    ada = User.objects.get(user_id="ada")
    assert (ada.source, ada.email, ada.devices.count()) == ("ldap", "ada@mdm.example.test", 1)
    assert connector.ask("PUT", where.format("ada")).status_code == 200  # known now: no directory is asked
    assert connector.ask("PUT", where.format("eve")).status_code == 503


@pytest.mark.parametrize(
    ("query", "status"), [("userId=nobody&platform=I", 404),
     ("userId=no body&platform=I&userFirstName=No", 400), ("userId=mia&platform=A", 400), ("platform=I", 404),
                          ("userId=mia&platform=I&countryCode=XX", 400), ("userId=mia&platform=I&notifyUser=true", 400)]
)  # fmt: skip
def test_a_registration_that_cannot_be_changes_nothing(connector: Script, query: str, status: int) -> None:
    person = User.objects.create(user_id="mia")

    assert connector.ask("PUT", f"dm/register?{query}").status_code == status
    assert not Device.objects.filter(user=person).exists()


def test_a_message_to_many(connector: Script, phone: Device) -> None:
    settings_store.change(mail_options.HOST.name, "mail.example.test", actor="test")
    settings_store.change(mail_options.FROM.name, "mdm@example.test", actor="test")
    by_mac = f"dm/bulk/sendmessage/?mode=pns&message=Hello&deviceWiFiMacAddress={MAC}"
    assert str(phone.uuid) in connector.ask("POST", by_mac).json()["messages"]["message"][0]
    assert connector.ask("POST", by_mac.replace(MAC, "000000000000")).status_code == 404
    many = ",".join(f"{number:012x}" for number in range(1_001))
    assert connector.ask("POST", by_mac.replace(MAC, many)).status_code == 400
    both = f"deviceUuid={phone.uuid}&deviceWiFiMacAddress={MAC},{MAC.lower()}"
    form: Any = f"mode=email&message=Hello&subject=News&{both}&deviceUuid={NOBODY}".encode()
    response = connector.ask(
        "POST", "dm/bulk/sendmessage/", form, content_type="application/x-www-form-urlencoded", **JSON
    )

    assert response.status_code == 200, response.content
    assert len(response.json()["messages"]["message"]) == 2
    assert Mail.objects.count() == 1
