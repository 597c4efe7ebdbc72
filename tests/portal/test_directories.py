"""Services > LDAP."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from epmm.models import AuditEntry, Job
from tests import directories, factories
from tests.directories import GROUPS, PEOPLE, Slapd
from tests.portal.conftest import SignedIn
from tests.portal.of_directories import away, from_directory, page
from tests.ports import free_port
from users.models import AdminRole, Directory, DirectoryEntry, DirectorySync, Group
from users.services.directory import client as ldap_client
from users.services.directory import sync

pytestmark = [pytest.mark.service("slapd"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Slapd]:
    ldap_client.forget_failures()
    with directories.running(tmp_path / "slapd") as running:
        yield running


def entered(server: Slapd, **changed: str) -> dict[str, str]:
    """The form as somebody fills it in."""
    usual = {
        "name": "Example",
        "kind": "other",
        "url": server.url,
        "certificates": server.ca,
        "bind_name": directories.READER,
        "bind_password": directories.SECRET,
        "connect_seconds": "5",
        "search_seconds": "10",
        "admin_state": "enabled",
        "user_base": PEOPLE,
        "user_scope": "sub",
        "account_attribute": "mail",
        "sync_minutes": "60",
        "group_base": GROUPS,
        "group_scope": "sub",
        "unit_base": directories.BASE,
        "unit_scope": "sub",
    }
    return usual | changed


def test_a_directory_is_added_and_its_people_come(signed_in: SignedIn, server: Slapd) -> None:
    client = signed_in()
    server.add_person("anna")
    answer = client.post("/admin/services/ldap/add", entered(server, searched_attributes="title, departmentNumber"))

    directory = Directory.objects.get()
    assert answer.headers["Location"] == f"/admin/services/ldap/{directory.pk}"
    assert directory.searched_attributes == ["title", "departmentNumber"]
    assert bytes(directory.bind_password or b"").decode() == directories.SECRET
    assert AuditEntry.objects.filter(action="directory.added", subject="Example").exists()
    assert directories.SECRET not in str(list(AuditEntry.objects.values()))

    sync.work(Job.objects.get(kind=sync.KIND).arguments["directory"])
    assert "Synced" in page(client, "/admin/services/ldap")
    shown = page(client, f"/admin/services/ldap/{directory.pk}")
    assert directories.SECRET not in shown
    assert "anna" in page(client, "/admin/users?to=ldap")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"url": "ldap://127.0.0.1"}, "Plain LDAP is refused"),
        ({"failover_url": "ldap://127.0.0.1"}, "Plain LDAP is refused"),
        ({"url": "https://127.0.0.1"}, "Enter an address like"),
        ({"url": "ldaps://host:99999"}, "Enter an address like"),
        ({"url": "ldaps://user@host"}, "Enter an address like"),
        ({"url": "ldaps://host/dc=x"}, "Enter an address like"),
        ({"url": "ldaps://one ldap://two"}, "Enter an address like"),
        ({"certificates": "nothing"}, "no certificates in PEM form"),
        ({"bind_password": ""}, "Nobody asks a directory without a password"),
        ({"user_base": ""}, "This field is required"),
        ({"schema_user_filter": "uid=*"}, "A filter stands in parentheses"),
        ({"schema_user_filter": "(uid=*))(cn=*"}, "A filter stands in parentheses"),
        ({"schema_user_id": "uid)(cn"}, "This is no name of an attribute"),
        ({"account_attribute": "*"}, "* is no name of an attribute"),
        ({"searched_attributes": "title, (x)"}, "(x) is no name of an attribute"),
        ({"sync_minutes": "-1"}, "greater than or equal to 0"),
        ({"kind": "nonsense"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(
    signed_in: SignedIn, server: Slapd, changed: dict[str, str], sentence: str
) -> None:
    shown = page(signed_in(), "/admin/services/ldap/add", **entered(server, **changed))

    assert sentence in shown
    assert not Directory.objects.exists()


@pytest.mark.parametrize("allowed", [{"allows_plain": "on"}, {"starts_tls": "on"}])
def test_plain_addresses_need_a_word(signed_in: SignedIn, server: Slapd, allowed: dict[str, str]) -> None:
    signed_in().post("/admin/services/ldap/add", entered(server, url=server.plain_url, **allowed))

    assert Directory.objects.get().url == server.plain_url


def test_a_name_is_given_once(signed_in: SignedIn, server: Slapd) -> None:
    away(url=server.url)

    assert "There is a directory of this name" in page(
        signed_in(), "/admin/services/ldap/add", **entered(server, name="AWAY")
    )


def test_the_password_stays_unless_it_would_go_to_another_server(signed_in: SignedIn, server: Slapd) -> None:
    client = signed_in()
    directory = directories.directory(server)
    address = f"/admin/services/ldap/{directory.pk}"
    kept = entered(server, bind_password="", certificates=server.ca.strip())
    Directory.objects.update(certificates=server.ca.strip())
    assert client.post(address, kept | {"search_seconds": "20"}).status_code == 302
    directory.refresh_from_db()
    assert directory.search_seconds == 20
    assert bytes(directory.bind_password or b"").decode() == directories.SECRET

    elsewhere = kept | {"url": "ldaps://192.0.2.1"}
    assert "Enter the password again" in page(client, address, **elsewhere)
    assert "Enter the password again" in client.post("/admin/services/ldap/test", elsewhere | {"row": str(directory.pk)}
    ).content.decode()  # fmt: skip
    directory.refresh_from_db()
    assert directory.url == server.url


def test_connections_are_tested_with_what_is_entered(signed_in: SignedIn, server: Slapd) -> None:
    anna = server.add_person("anna")
    server.add_group("team", [anna])
    down = f"ldaps://127.0.0.1:{free_port()}"
    shown = page(signed_in(), "/admin/services/ldap/test", **entered(server, failover_url=down))

    assert "Connected and signed in." in shown
    assert re.search(rf"{down}</strong><p>[^<]*contact LDAP server", shown)
    assert "1 found, for example anna." in shown
    assert "1 found, for example team." in shown
    assert "2 found, for example" in shown  # units
    assert not Directory.objects.exists()


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"bind_password": "wrong"}, "The directory refused the user ID or the password"),
        ({"user_base": "ou=nowhere,dc=example,dc=test"}, "No such object"),
        ({"schema_user_filter": "(title=none)"}, "None matches (title=none)."),
        ({"certificates": ""}, "from no authority that is trusted"),
        ({"schema_user_filter": "none"}, "Correct this first"),
    ],
)
def test_a_test_says_what_is_wrong(signed_in: SignedIn, server: Slapd, changed: dict[str, str], sentence: str) -> None:
    shown = page(signed_in(), "/admin/services/ldap/test", **entered(server, **changed))

    assert sentence in shown.replace("&#x27;", "'")


def test_a_person_is_tested(signed_in: SignedIn, server: Slapd) -> None:
    client, directory = signed_in(), directories.directory(server)
    anna = server.add_person("anna", mail="anna@mdm.example.test")
    team, _other = server.add_group("team", [anna]), server.add_group("other", [anna])
    client.post(f"/admin/services/ldap/{directory.pk}/groups", {"kind": "group", "dn": team})
    Group.objects.get().roles.create(key="apple.adde", granted_by="test")
    shown = page(client, f"/admin/services/ldap/{directory.pk}/person", person="anna")

    assert anna in shown
    assert "other, team" in shown
    assert "Allow Account Driven Apple Device Enrollment" in shown
    assert "anna@mdm.example.test" in shown
    assert "not synced yet" in shown
    assert not DirectoryEntry.objects.exists(), "looking changes nothing"

    factories.user("holder", managed_apple_account="anna@mdm.example.test")
    assert "already has this Managed Apple Account" in page(
        client, f"/admin/services/ldap/{directory.pk}/person", person="anna"
    )
    assert "Nobody of this name" in page(client, f"/admin/services/ldap/{directory.pk}/person", person="*")


def test_groups_are_chosen_and_let_go(signed_in: SignedIn, server: Slapd) -> None:
    client, directory = signed_in(), directories.directory(server)
    anna = server.add_person("anna")
    team = server.add_group("Team (A)", [anna])
    server.add_group("Other", [anna])
    address = f"/admin/services/ldap/{directory.pk}/groups"
    assert re.findall(r"<span>([^<]+)<small>", page(client, address)) == ["Other", "Team (A)"]
    assert re.findall(r"<span>([^<]+)<small>", page(client, f"{address}?q=m+(a")) == ["Team (A)"]

    assert client.post(address, {"kind": "group", "dn": team}).status_code == 302
    group = Group.objects.get()
    assert Job.objects.filter(kind=sync.KIND).exists()
    shown = page(client, address)
    assert "Members: 0, roles: 0" in shown
    assert shown.count("Team (A)") == 1, "not to be chosen twice"

    client.post(address, {"kind": "group", "group": str(group.pk)})
    assert not Group.objects.exists()
    assert AuditEntry.objects.filter(action="directory.group_removed", subject="Team (A)").exists()


def test_units_are_chosen_as_groups_are(signed_in: SignedIn, server: Slapd) -> None:
    client, directory = signed_in(), directories.directory(server)
    address = f"/admin/services/ldap/{directory.pk}/groups"
    assert "ou=people" in page(client, f"{address}?kind=unit")

    client.post(address, {"kind": "unit", "dn": PEOPLE})
    assert Group.objects.get().kind == Group.Kind.UNIT


@pytest.mark.parametrize("dn", ["cn=none,dc=example,dc=test", "no name at all", PEOPLE])
def test_what_is_no_group_is_not_chosen(signed_in: SignedIn, server: Slapd, dn: str) -> None:
    directory = directories.directory(server)
    shown = page(signed_in(), f"/admin/services/ldap/{directory.pk}/groups", kind="group", dn=dn)

    assert "The directory has no such entry" in shown
    assert not Group.objects.exists()


def test_a_sync_is_asked_for_once(signed_in: SignedIn) -> None:
    client, directory = signed_in(), away()
    for _ in range(2):
        client.post(f"/admin/services/ldap/{directory.pk}/sync")

    assert Job.objects.filter(kind=sync.KIND).count() == 1


def test_many_losses_are_shown_and_accepted(signed_in: SignedIn) -> None:
    client, directory = signed_in(), away()
    DirectorySync.objects.create(directory=directory, phase="gone", error="Nobody was switched off.")
    assert "Accept that many are gone" in page(client, f"/admin/services/ldap/{directory.pk}")

    client.post(f"/admin/services/ldap/{directory.pk}/sync", {"accepts_losses": "on"})
    assert DirectorySync.objects.get().accepts_losses


def test_a_directory_with_people_is_not_deleted(signed_in: SignedIn) -> None:
    client, directory = signed_in(), away()
    anna = from_directory(directory, "anna")
    address = f"/admin/services/ldap/{directory.pk}/delete"
    assert "This is not what is to be typed" in page(client, address, typed="away")
    assert "People who come from this directory: 1." in page(client, address, typed="Away")

    anna.delete()
    assert client.post(address, {"typed": "Away"}).headers["HX-Redirect"] == "/admin/services/ldap"
    assert not Directory.objects.exists()


def test_who_may_only_look_changes_nothing(signed_in: SignedIn, server: Slapd) -> None:
    client, directory = signed_in("reader", [AdminRole.SETTINGS_VIEW]), directories.directory(server)
    server.add_group("team", [server.add_person("anna")])
    shown = page(client, f"/admin/services/ldap/{directory.pk}")
    assert "Test connection" not in shown
    assert "disabled" in shown
    assert "team" in page(client, f"/admin/services/ldap/{directory.pk}/groups")

    assert client.post(f"/admin/services/ldap/{directory.pk}", entered(server)).status_code == 403
    assert client.post(f"/admin/services/ldap/{directory.pk}/groups", {"kind": "group"}).status_code == 403


def test_without_the_library_the_portal_says_so(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    client, directory = signed_in(), away()
    monkeypatch.setattr(ldap_client, "ldap", None)

    for address in ("", f"/{directory.pk}", f"/{directory.pk}/groups"):
        assert "LDAP is not installed on this server" in page(client, f"/admin/services/ldap{address}")
    assert "LDAP is not installed" in page(client, "/admin/services/ldap/test", row=str(directory.pk))
