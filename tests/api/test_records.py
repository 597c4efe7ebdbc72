"""Labels, people, spaces, apps, attributes and the audit log (specification of the REST API, 4.5 to 4.9)."""

import csv
import io
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from devices.models import Device, InstalledApplication, Label
from devices.services import labels
from epmm.models import AuditEntry, AuditExport, Job
from epmm.portal import record_pages
from tests import directories
from tests.api.conftest import Script, make_caller
from tests.directories import GROUPS, PEOPLE
from tests.factories import user as make_user
from users.models import AdminRole, Directory, DirectoryEntry, DirectoryValue, Group, User
from users.services import audit_export, custom_attributes, roles
from users.services.directory import client, sync

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def uuids(script: Script) -> list[str]:
    owner = make_user("owner")
    rows = [Device.objects.create(user=owner, status="ACTIVE", wifi_mac=f"F4B5457299C{n}") for n in range(3)]
    return [str(row.uuid) for row in rows]


def test_label_objects(script: Script, uuids: list[str]) -> None:
    body = {"name": "Late", "description": "d", "deviceSpaceId": 1, "static": True}
    made = script.ask("POST", "labels/?adminDeviceSpaceId=1", body).json()["results"]

    assert (made["name"], made["staticLabel"]) == ("Late", True)
    assert script.get(f"labels/{made['id']}")["results"] == made
    added = script.ask("PUT", "devices/labels/LATE/add/", {"deviceUuids": [uuids[0], "x"]}).json()
    assert added["successful"] is False
    [record] = added["results"]["records"]
    assert record["label"] == "Late"
    assert [device["failureCode"] for device in record["device"]] == [None, 1]
    of_device = script.get(f"devices/{uuids[0]}/labels")["results"]
    assert str(made["id"]) in {each["id"] for each in of_device}  # a text, as clients compare it
    names = {each["name"]: each["staticLabel"] for each in of_device}
    assert names["Late"] is True
    summary = script.get("labels/label_summary?adminDeviceSpaceId=1&query=late")
    assert summary["totalCount"] == 1
    assert summary["results"] == [
        {
            "id": made["id"], "name": "Late", "description": "d", "isStatic": True, "criteria": "", "deviceCount": 1,
            "deviceSpaceId": 1, "deviceSpaceName": "Global", "deviceSpacePath": "/1/", "rowType": "LABEL",
        }
    ]  # fmt: skip
    removed = script.ask("PUT", "devices/labels/late/remove", {"deviceUuids": [uuids[0]]}).json()
    assert removed["successful"] is True
    reason = {"reason": "over", "labelIds": [made["id"]], "deviceSpaceId": 1}
    assert script.ask("DELETE", "labels/", reason).status_code == 200
    assert script.ask("GET", f"labels/{made['id']}").status_code == 404


def test_a_filter_label_has_criteria(script: Script, uuids: list[str]) -> None:
    made = script.ask("POST", "labels", {"name": "Here", "criteria": "common.status = ACTIVE"}).json()["results"]

    assert made["staticLabel"] is False
    counts = {each["name"]: each["deviceCount"] for each in script.get("labels/label_summary?limit=200")["results"]}
    assert counts["Here"] == 3
    assert script.ask("PUT", "devices/labels/Here/add", {"deviceUuids": uuids[:1]}).json()["successful"] is False


@pytest.mark.parametrize(
    ("method", "where", "body", "status"),
    [("POST", "labels", {"name": ""}, 400), ("POST", "labels", {"name": "x", "criteria": "("}, 400),
     ("POST", "labels", {"name": "x", "criteria": "a", "static": True}, 400), ("DELETE", "labels", {}, 400),
     ("DELETE", "labels", {"labelIds": [987654]}, 404), ("GET", "labels/x", None, 404),
     ("GET", f"labels/{2**63}", None, 404),
     ("PUT", "devices/labels/nobody/add", {"deviceUuids": ["x"]}, 404), ("GET", "devices/x/labels", None, 404)],
)  # fmt: skip
def test_what_is_no_label_is_said(script: Script, method: str, where: str, body: Any, status: int) -> None:
    before = Label.objects.count()

    assert script.ask(method, where, body).status_code == status
    assert Label.objects.count() == before


def test_a_built_in_label_takes_the_others_with_it_nowhere(script: Script) -> None:
    own = labels.create("Own", actor="test")
    built_in = Label.objects.create(name="Built in", is_built_in=True)

    assert script.ask("DELETE", "labels", {"labelIds": [own.pk, built_in.pk]}).status_code == 400
    assert Label.objects.filter(pk=own.pk).exists()


def test_a_label_with_a_slash_in_its_name(script: Script, uuids: list[str]) -> None:
    labels.create("IT/Berlin 1", actor="test")
    where = f"devices/labels/{quote('IT/Berlin 1', safe='')}/add"

    assert script.ask("PUT", where, {"deviceUuids": uuids[:1]}).json()["successful"] is True


def test_users(script: Script) -> None:
    make_user("mia", first_name="Mia", last_name="Ito", email="mia@example.test")
    found = script.get("authorized/users?adminDeviceSpaceId=1&query=mia")

    [mia] = found["results"]
    row = User.objects.get(user_id="mia")
    assert mia == {
        "id": row.pk, "uuid": str(row.uuid), "principal": "mia", "firstName": "Mia", "lastName": "Ito",
        "displayName": "Mia Ito", "email": "mia@example.test", "enabled": True, "source": "Local", "roles": ["portal"],
    }  # fmt: skip
    assert (found["totalCount"], found["resultCount"], found["hasMore"]) == (1, 1, False)
    for query in ("Ito", "MIA", "mia%40example.test"):
        assert script.get(f"authorized/users?query={query}")["results"] == [mia]
    everyone = script.get("authorized/users?limit=1&sortField=principal&sortOrder=DESC")
    assert (everyone["totalCount"], everyone["hasMore"]) == (2, True)
    assert everyone["results"][0]["principal"] == "script"


@pytest.mark.parametrize("order", ["", "&sortField=email&sortOrder=DESC", "&sortField=lastName", "&sortField=id"])
def test_many_users_come_in_pages_each_once(script: Script, monkeypatch: pytest.MonkeyPatch, order: str) -> None:
    monkeypatch.setattr(record_pages, "FEW", 3)
    for number in range(8):
        make_user(f"person{number}", last_name="Ito" if number % 2 else "Abe")
    pages = [script.get(f"authorized/users?limit=4&offset={offset}{order}") for offset in (0, 4, 8)]

    assert [(page["totalCount"], page["hasMore"]) for page in pages] == [(9, True), (9, True), (9, False)]
    assert len({person["principal"] for page in pages for person in page["results"]}) == 9


def test_users_cost_the_same_however_many(script: Script, django_assert_max_num_queries: Any) -> None:
    for number in range(12):
        make_user(f"person{number}")
    script.get("ping")
    for limit in (2, 12):
        with django_assert_max_num_queries(10):
            script.get(f"authorized/users?limit={limit}")


def test_spaces(script: Script, uuids: list[str]) -> None:
    assert script.get("device_spaces/mine")["results"] == [{"id": 1, "name": "Global", "path": "/1/", "deviceCount": 3}]
    assert script.get("device_spaces?excludeDeviceCount=true")["results"] == [
        {"id": 1, "name": "Global", "path": "/1/"}
    ]


def test_directory_entities(script: Script) -> None:
    directory = Directory.objects.create(name="corp")
    person = make_user("ben", source="ldap", first_name="Ben")
    DirectoryEntry.objects.create(user=person, directory=directory, external_id="1")
    DirectoryValue.objects.create(user=person, name="dn", text="cn=ben,dc=corp", folded="cn=ben,dc=corp")
    Group.objects.create(kind="group", directory=directory, external_id="2", name="Staff", dn="cn=staff,dc=corp")

    [ben] = script.get("admins/ldap_entities?type=user&query=ben&adminDeviceSpaceId=1")["results"]
    assert (ben["principal"], ben["dn"], ben["type"], ben["roles"]) == ("ben", "cn=ben,dc=corp", "user", ["portal"])
    [staff] = script.get("admins/ldap_entities?type=group&query=sta")["results"]
    assert (staff["name"], staff["dn"], staff["type"]) == ("Staff", "cn=staff,dc=corp", "group")
    assert script.get("admins/ldap_entities?type=ou")["results"] == []
    assert script.ask("GET", "admins/ldap_entities?type=tree").status_code == 400


@pytest.mark.service("slapd")
def test_directories_are_asked_and_while_one_is_away_their_copy(script: Script, tmp_path: Path) -> None:
    client.forget_failures()
    with directories.running(tmp_path / "slapd") as server:
        directory = directories.directory(server)
        server.add_group("Staff (*)", [server.add_person("anna")])
        sync.run(directory)
        roles.grant(User.objects.get(user_id="anna"), ["portal"], actor="test")
        server.add_person("annika")  # since then
        for nobody in ("*", "ann*", "ann)(uid=*", "ann\\2a", "(", "nna"):
            asked = urlencode({"query": nobody, "type": "user"})
            assert script.get(f"admins/ldap_entities?{asked}")["results"] == []
        both = script.get("admins/ldap_entities?query=ANN")
        told = [(each["principal"], each["name"], each["email"], each["roles"]) for each in both["results"]]
        assert told == [
            ("anna", "Anna Annason", "anna@mdm.example.test", ["portal"]),
            ("annika", "Annika Annikason", "annika@mdm.example.test", []),
        ]
        second = script.get("admins/ldap_entities?query=ann&limit=1&offset=1")
        assert (second["results"], second["totalCount"], second["hasMore"]) == (both["results"][1:], 2, False)
        for kind, query, dn in (("group", "(*)", f"cn=Staff (*),{GROUPS}"), ("ou", "peop", PEOPLE)):
            [found] = script.get(f"admins/ldap_entities?{urlencode({'type': kind, 'query': query})}")["results"]
            assert (found["dn"], found["type"], found["roles"]) == (dn, kind, [])
    assert script.get("admins/ldap_entities?query=ann")["results"] == both["results"][:1]


def test_app_inventory_both_ways(script: Script, uuids: list[str]) -> None:
    device = Device.objects.get(uuid=uuids[0])
    InstalledApplication.objects.create(
        device=device, identifier="com.example.chat", name="Chat", version="712", short_version="7.1"
    )
    found = script.get(f"devices/appinventory?deviceUuids={uuids[0]},{uuids[1]},x&adminDeviceSpaceId=1")

    assert [each["common.uuid"] for each in found["results"]] == uuids[:2]
    [chat] = found["results"][0]["appInventory"]
    assert (chat["name"], chat["version"], chat["bundleId"]) == ("Chat", "7.1", "com.example.chat")
    assert found["results"][1]["appInventory"] == []
    assert script.get("devices/appinventory?wifimacs=f4:b5:45:72:99:c0")["results"] == found["results"][:1]
    having = script.get("appinventory/devices?name=chat&version=7.1")
    assert [row["common.uuid"] for row in having["results"]] == uuids[:1]
    assert script.get("appinventory/devices?bundleId=com.example.none")["totalCount"] == 0
    assert script.ask("GET", "appinventory/devices").status_code == 400
    assert script.get("appstore/apps")["results"] == []
    assert script.ask("GET", "appstore/apps/1").status_code == 404


@pytest.mark.parametrize("subject", ["device", "user"])
def test_custom_attributes(script: Script, uuids: list[str], subject: str) -> None:
    custom_attributes.define(subject, "place", "text", description="Where", actor="test")
    keys = uuids if subject == "device" else [str(User.objects.get(user_id="owner").uuid)]
    name = "deviceUuids" if subject == "device" else "userUuids"
    where, search = f"{subject}s/custom_attributes", f"devices/count?query=custom.{subject}.place=Roof"

    [definition] = script.get(f"attributes/definitions?type={subject}&keyword=WHERE")["results"]
    assert (definition["name"], definition["dataType"]) == ("place", "TEXT")
    told = script.ask("PUT", where, {name: [keys[0], "x"], "attributes": {"Place": "Roof"}}).json()
    assert told["successful"] is False
    assert told["results"][keys[0]] == {"successful": True, "changed": ["place"]}
    assert script.get(search)["totalCount"] == (1 if subject == "device" else 3)
    assert script.ask("PUT", where, {name: keys[:1], "attributes": {"nothing": "x"}}).status_code == 404
    assert script.ask("PUT", where, {name: keys[:1], "attributes": {"place": "x" * 999}}).status_code == 400
    assert script.ask("DELETE", where, {name: keys[:1], "attributes": ["place"]}).json()["successful"] is True
    assert script.get(search)["totalCount"] == 0


def test_the_audit_log_as_a_file(script: Script) -> None:
    labels.create("Late", actor="test")
    categories = script.get("admins/actions?adminDeviceSpaceId=1")
    [action] = next(each for each in categories if each["category"] == "label")["actions"]
    assert {each["category"] for each in script.get("admins/deviceDetails/actions")} == {"label"}
    filters = {"userActionIds": [action["id"]], "status": ["Success"], "actionStart": 1_604_911_328_525}

    begun = script.ask("GET", "logs/audit_logs_export?adminDeviceSpaceId=1", filters).json()["results"]
    assert begun["status"] == "INITIATED"
    number = begun["requestId"]
    assert script.ask("GET", f"logs/audit_logs_csv?requestId={number}").status_code == 404
    audit_export.make(AuditExport.objects.get().pk)
    assert script.get(f"logs/audit_logs_export_status?requestId={number}")["results"]["status"] == "COMPLETED"
    response = script.ask("GET", "logs/audit_logs_csv")
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))
    assert [(row["action"], row["subject"]) for row in rows] == [("label.created", "Late")]


@pytest.mark.parametrize("query", ["userActionIds=1", "status=Lost", "actionStart=yesterday", "actionEnd=-1"])
def test_an_export_of_nothing_known_is_not_begun(script: Script, query: str) -> None:
    assert script.ask("GET", f"logs/audit_logs_export?{query}").status_code == 400
    assert not Job.objects.filter(kind=audit_export.KIND).exists()


def test_an_export_is_its_owners_alone(script: Script) -> None:
    other = make_caller("other", [AdminRole.API, AdminRole.LOGS_VIEW])
    export = audit_export.ask(other, {})

    assert script.ask("GET", f"logs/audit_logs_export_status?requestId={export.uuid}").status_code == 404
    assert script.ask("GET", "logs/audit_logs_export_status?requestId=x").status_code == 404


def test_the_bare_address_and_the_status_page(script: Script) -> None:
    assert script.ask("GET", "/").status_code == 200
    for caller in (script, Script(None)):
        response = caller.ask("GET", "/status/status.html")
        assert response.content.decode().splitlines()[0].startswith("MOBILEIRON-STATUS: ")
    assert AuditEntry.objects.filter(subject__contains="status").count() == 0
