"""The copy of a directory's people: what a sync writes, what it leaves alone, and what it does not believe."""

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from epmm.models import AuditEntry, Job
from tests import factories
from tests.devices.services import rows
from tests.directories import PEOPLE, Slapd
from tests.users.directory.test_groups import choose, members
from users.errors import DirectoryDown, DirectoryRefused
from users.models import Directory, DirectoryEntry, DirectorySync, DirectoryValue, User
from users.services.directory import store, sync
from users.services.directory.sync import TooManyGone

pytestmark = [pytest.mark.service("slapd"), pytest.mark.django_db(transaction=True)]
OURS = ("users_user", "users_directoryentry", "users_directoryvalue", "users_membership", "users_group", "epmm_audit")


def user(name: str) -> User:
    return User.objects.get(user_id=name)


def everybody_was_read_before(directory: Directory) -> None:
    """So that the next run asks for changes alone, beyond the time that servers may differ by."""
    row = DirectorySync.objects.get(directory=directory)
    row.mark = {"at": "20990101000000Z"}
    row.save()


def test_people_of_the_directory_become_users(server: Slapd, directory: Directory) -> None:
    directory.searched_attributes = ["departmentNumber"]
    directory.save()
    dn = server.add_person("anna", departmentNumber=["12", "Zentrale"])
    sync.run(directory)

    anna = user("anna")
    assert (anna.first_name, anna.last_name, anna.display_name) == ("Anna", "Annason", "Anna Annason")
    assert (anna.email, anna.managed_apple_account) == ("anna@mdm.example.test", "anna@mdm.example.test")
    assert (anna.source, anna.is_active, anna.role_keys()) == (User.Source.LDAP, True, frozenset())
    assert not anna.has_usable_password()
    assert anna.directory_entry.dn == dn
    assert anna.directory_entry.attributes["departmentNumber"] == ["12", "Zentrale"]
    found = set(DirectoryValue.objects.filter(user=anna).values_list("name", "folded"))
    assert found == {("dn", dn), ("departmentnumber", "12"), ("departmentnumber", "zentrale")}


@pytest.mark.parametrize("is_full", [True, False])
def test_a_second_sync_without_changes_writes_nothing(server: Slapd, directory: Directory, is_full: bool) -> None:  # noqa: FBT001
    anna = server.add_person("anna")
    server.add_person("berta")
    team = choose(directory, server.add_group("team", [anna]))
    sync.run(directory)
    if is_full:
        DirectorySync.objects.update(full_at=None)
    entries = AuditEntry.objects.count()

    with CaptureQueriesContext(database) as asked:
        sync.run(directory)

    written = [query["sql"] for query in asked if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert [sql for sql in written if any(table in sql for table in OURS)] == []
    assert members(team) == {"anna"}
    assert AuditEntry.objects.count() == entries


def test_what_changes_is_followed(server: Slapd, directory: Directory) -> None:
    anna = server.add_person("anna")
    sync.run(directory)
    server.change(anna, sn="Meier", displayName="Anna Meier", mail="anna.meier@mdm.example.test")
    row = sync.run(directory)

    assert user("anna").display_name == "Anna Meier"
    assert user("anna").managed_apple_account == "anna.meier@mdm.example.test"
    assert not row.is_full
    assert row.counts["changed"] == 1


def test_labels_look_again_at_whoever_has_changed(server: Slapd, directory: Directory) -> None:
    directory.searched_attributes = ["departmentNumber"]
    directory.save()
    anna = server.add_person("anna", departmentNumber="12")
    sync.run(directory)
    assert not Job.objects.filter(kind=store.LOOK_AGAIN).exists(), "nobody new has a device"

    server.change(anna, departmentNumber="13")
    sync.run(directory)
    assert Job.objects.get(kind=store.LOOK_AGAIN).arguments == {"users": [user("anna").pk]}


def test_a_renamed_person_stays_the_same_user(server: Slapd, directory: Directory) -> None:
    anna = server.add_person("anna")
    sync.run(directory)
    before = user("anna").pk
    server.rename(anna, "uid=anna.meier")
    sync.run(directory)

    assert user("anna.meier").pk == before


def test_a_moved_unit_moves_the_names_of_the_people_in_it(server: Slapd, directory: Directory) -> None:
    """The directory dates the unit alone."""
    server.add(f"ou=sales,{PEOPLE}", objectClass="organizationalUnit", ou="sales")
    server.add_person("anna", unit=f"ou=sales,{PEOPLE}")
    sync.run(directory)
    everybody_was_read_before(directory)
    server.rename(f"ou=sales,{PEOPLE}", "ou=market")
    sync.run(directory)

    assert user("anna").directory_entry.dn == f"uid=anna,ou=market,{PEOPLE}"


def test_somebody_who_comes_into_sight_unchanged_is_found(server: Slapd, directory: Directory) -> None:
    server.add_person("anna")
    sync.run(directory)
    server.add_person("berta")
    everybody_was_read_before(directory)
    sync.run(directory)

    assert user("berta").is_active


def test_whoever_is_gone_is_switched_off_and_comes_back(server: Slapd, directory: Directory) -> None:
    anna = server.add_person("anna")
    server.add_person("berta")
    team = choose(directory, server.add_group("team", [anna]))
    sync.run(directory)
    server.remove(anna)
    sync.run(directory)

    assert not user("anna").is_active
    assert user("anna").directory_entry.gone_at is not None
    assert members(team) == set()
    assert AuditEntry.objects.filter(action="user.disabled", subject="anna", actor="directory Example").exists()

    user("anna").directory_entry.refresh_from_db()
    identifier = user("anna").directory_entry.external_id
    DirectoryEntry.objects.filter(external_id=identifier).update(external_id=_added_again(server, "anna"))
    sync.run(directory)

    assert user("anna").is_active
    assert user("anna").directory_entry.gone_at is None


def _added_again(server: Slapd, name: str) -> str:
    """A directory restored from a backup keeps its identifiers; slapd gives out a new one."""
    dn = server.add_person(name)
    handle = server.administrator()
    identifier: str = handle.search_s(dn, 0, attrlist=["entryUUID"])[0][1]["entryUUID"][0].decode()
    handle.unbind_s()
    return identifier


def test_whom_an_administrator_switched_off_stays_so(server: Slapd, directory: Directory) -> None:
    anna = server.add_person("anna")
    server.add_person("berta")
    sync.run(directory)
    User.objects.filter(user_id="anna").update(is_active=False)
    server.remove(anna)
    sync.run(directory)
    DirectoryEntry.objects.filter(user__user_id="anna").update(external_id=_added_again(server, "anna"))
    sync.run(directory)

    assert user("anna").directory_entry.gone_at is None
    assert not user("anna").is_active


def test_an_empty_answer_is_not_believed(server: Slapd, directory: Directory) -> None:
    for name in ("anna", "berta"):
        server.add_person(name)
    sync.run(directory)
    directory.schema = {"user_filter": "(&(objectClass=inetOrgPerson)(title=nobody))"}
    directory.save()

    with pytest.raises(TooManyGone, match="2 of 2"):
        sync.run(directory)
    assert user("anna").is_active
    assert "Nobody was switched off" in DirectorySync.objects.get(directory=directory).error

    sync.ask(directory, accepts_losses=True)
    sync.run(directory)
    assert not user("anna").is_active
    assert not DirectorySync.objects.get(directory=directory).accepts_losses


def test_a_run_goes_on_with_the_phase_it_was_in(
    server: Slapd, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add_person("anna")
    monkeypatch.setitem(sync._PHASES, sync.Phase.GROUPS, _fails)
    with pytest.raises(DirectoryDown):
        sync.run(directory)
    monkeypatch.undo()
    monkeypatch.setitem(sync._PHASES, sync.Phase.PEOPLE, _fails)

    assert sync.run(directory).phase == sync.Phase.DONE


def _fails(*_arguments: object) -> None:
    raise DirectoryDown("away")


def test_a_directory_that_is_configured_anew_is_read_anew(server: Slapd, directory: Directory) -> None:
    server.add_person("anna", employeeType="staff")
    sync.run(directory)
    directory.searched_attributes = ["employeeType"]
    directory.save()
    row = sync.run(directory)

    assert row.is_full
    assert user("anna").directory_values.filter(name="employeetype", text="staff").exists()


@pytest.mark.parametrize("name", ["local", "LOCAL"])
def test_the_name_of_somebody_local_is_theirs(server: Slapd, directory: Directory, name: str) -> None:
    local = factories.user("local", email="other@example.test")
    server.add_person(name)
    row = sync.run(directory)

    assert user("local").pk == local.pk
    assert user("local").source == User.Source.LOCAL
    assert row.problems == [f"The user ID {name} is taken."]


def test_an_address_that_somebody_has_is_left_out(server: Slapd, directory: Directory) -> None:
    server.add_person("anna", mail="shared@mdm.example.test")
    server.add_person("berta", mail="Shared@mdm.example.test")
    row = sync.run(directory)

    assert sorted(User.objects.values_list("email", flat=True)) == ["", "shared@mdm.example.test"]
    assert len(row.problems) == 2  # the address, and the account that would be made of it


@pytest.mark.parametrize("uid", ["anna meier", "änna", "x_MI5"])
def test_a_name_that_cannot_be_a_user_id_is_told(server: Slapd, directory: Directory, uid: str) -> None:
    server.add_person(uid, mail="x@mdm.example.test")
    row = sync.run(directory)

    assert not User.objects.exists()
    assert row.problem_count > 0


def test_an_account_in_use_is_not_changed(server: Slapd, directory: Directory) -> None:
    from devices.models import Device

    anna = server.add_person("anna")
    sync.run(directory)
    rows.enrolled(device=Device.objects.create(user=user("anna")))
    server.change(anna, mail="new@mdm.example.test")
    row = sync.run(directory)

    assert user("anna").managed_apple_account == "anna@mdm.example.test"
    assert user("anna").email == "new@mdm.example.test"
    assert row.problems == ["anna: Devices are enrolled with anna@mdm.example.test."]


def test_an_account_that_was_typed_stays(server: Slapd, directory: Directory) -> None:
    anna = server.add_person("anna")
    sync.run(directory)
    User.objects.filter(user_id="anna").update(managed_apple_account="typed@mdm.example.test")
    server.change(anna, mail="new@mdm.example.test")
    sync.run(directory)

    assert user("anna").managed_apple_account == "typed@mdm.example.test"


def test_an_account_that_became_free_is_given(server: Slapd, directory: Directory) -> None:
    holder = factories.user("holder", managed_apple_account="anna@mdm.example.test")
    server.add_person("anna")
    sync.run(directory)
    assert user("anna").managed_apple_account is None
    holder.delete()
    DirectorySync.objects.update(full_at=None)
    sync.run(directory)

    assert user("anna").managed_apple_account == "anna@mdm.example.test"


def test_a_name_given_up_may_be_another_persons_on_the_same_page(server: Slapd, directory: Directory) -> None:
    anna = server.add_person("anna")
    sync.run(directory)
    first = user("anna").pk
    server.rename(anna, "uid=zoe")
    server.add_person("anna")
    sync.run(directory)

    assert user("zoe").pk == first
    assert user("anna").pk != first


def test_what_somebody_takes_at_the_same_moment_costs_the_others_nothing(
    server: Slapd, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.user("anna")
    for name in ("anna", "berta"):
        server.add_person(name)
    monkeypatch.setattr(store, "_holders", lambda *_arguments: {})
    row = sync.run(directory)

    assert user("berta").source == User.Source.LDAP
    assert user("anna").source == User.Source.LOCAL
    assert row.problem_count == 1


def test_a_wrong_base_is_said(server: Slapd, directory: Directory) -> None:
    directory.user_base = "ou=nowhere,dc=example,dc=test"
    directory.save()
    with pytest.raises(DirectoryRefused):
        sync.run(directory)

    assert DirectorySync.objects.get(directory=directory).error == "No such object"
