"""What a directory brings to the pages about people: groups with roles, and who is gone from it."""

import pytest

from devices.models import Device
from epmm.models import AuditEntry
from tests.portal.conftest import SignedIn
from tests.portal.of_directories import away, from_directory, page
from users.models import Directory, Group, User

pytestmark = pytest.mark.django_db(transaction=True)


def test_somebody_whom_a_directory_has_is_not_deleted(signed_in: SignedIn) -> None:
    client, directory = signed_in(), away()
    anna = from_directory(directory, "anna")
    delete = {"row": str(anna.pk), "go": "1", "typed": "anna"}
    User.objects.update(is_active=False)
    User.objects.filter(user_id="admin").update(is_active=True)
    assert "A directory still has this person" in page(client, "/admin/users/delete", **delete)

    Directory.objects.update(is_enabled=False)
    page(client, "/admin/users/delete", **delete)
    assert not User.objects.filter(pk=anna.pk).exists()


def test_groups_hold_roles_that_are_shown_with_their_origin(signed_in: SignedIn) -> None:
    client, directory = signed_in(), away()
    anna = from_directory(directory, "anna")
    groups = [Group.objects.create(directory=directory, external_id=name, name=name) for name in ("Sales", "West")]
    for group in groups:
        group.memberships.create(user=anna)
    rows = [str(group.pk) for group in groups]
    listed = page(client, "/admin/users?to=ldap&entities=group")
    assert all(text in listed for text in ("Sales", "West", "Away"))
    assert "Assign Roles: 2 groups" in page(client, "/admin/users/groups/roles", row=rows)

    chosen = {"go": "1", "chosen": ",".join(rows)}
    assert "which Sales does not have" in page(client, "/admin/users/groups/roles", **chosen, granted=["portal.lock"])
    answer = client.post("/admin/users/groups/roles", chosen | {"granted": ["portal", "portal.lock", "apple.adde"]})
    assert answer.status_code == 204
    assert anna.role_keys() == {"portal", "portal.lock", "apple.adde"}
    assert AuditEntry.objects.filter(action="group.roles_changed").count() == 2

    shown = page(client, f"/admin/users/{anna.pk}")
    assert shown.count("Group Sales") == shown.count("Group West") == 3
    assert "Device Enrollment, User Portal (+1)" in page(client, "/admin/users?to=ldap")

    kept = chosen | {"was": ["portal", "portal.lock", "apple.adde"]}
    assert client.post("/admin/users/groups/roles", kept).status_code == 204
    assert anna.role_keys() == frozenset()
    Directory.objects.update(is_enabled=False)
    assert "West" not in page(client, "/admin/users?to=ldap&entities=group"), "nor is it offered for a rule"
    assert "West" not in client.get("/admin/settings/rules/edit").content.decode()


def test_all_groups_that_match_are_meant(signed_in: SignedIn) -> None:
    client, directory = signed_in(), away()
    for name in ("Sales East", "Sales West", "Other"):
        Group.objects.create(directory=directory, external_id=name, name=name)
    Group.objects.create(directory=directory, external_id="u", name="Sales", kind="unit")
    sent = {"all": "1", "matching": "to=ldap&entities=group&q=SALES"}

    assert "Assign Roles: 2 groups" in page(client, "/admin/users/groups/roles", **sent)
    assert "Nothing is selected" in page(client, "/admin/users/groups/roles", row="")


def test_members_who_lack_an_account_are_counted(signed_in: SignedIn) -> None:
    client, directory = signed_in(), away()
    group = Group.objects.create(directory=directory, external_id="1", name="Sales")
    group.roles.create(key="apple.adde", granted_by="test")
    for name in ("anna", "bert"):
        group.memberships.create(user=from_directory(directory, name))
    User.objects.filter(user_id="anna").update(managed_apple_account="anna@mdm.example.test")

    assert "Members without one: 1" in page(client, "/admin/users/groups/roles", row=str(group.pk))


def test_devices_of_people_who_are_gone_are_on_the_dashboard(signed_in: SignedIn) -> None:
    client, directory = signed_in(), away()
    anna, bert = from_directory(directory, "anna"), from_directory(directory, "bert")
    for user in (anna, bert):
        Device.objects.create(user=user, device_name=f"iPhone of {user}", status="ACTIVE")
    assert page(client, "/admin/dashboard/alert").strip() == ""

    anna.directory_entry.gone_at = anna.created_at
    anna.directory_entry.save()
    shown = page(client, "/admin/dashboard/alert")
    assert "iPhone of anna" in shown
    assert "iPhone of bert" not in shown
    listed = page(client, "/admin/users?to=ldap&gone=1")
    assert [f"/admin/users/{user.pk}" in listed for user in (anna, bert)] == [True, False]
