"""Members of groups and units, through groups in groups, and as Active Directory tells them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from devices import tasks  # noqa: F401 - registers the handlers
from devices.models import Device, Label
from devices.services import configurations, label_members, labels
from epmm import jobs
from epmm.models import Job
from tests.devices.configuration.lab import uploaded
from tests.devices.configuration.profiles import WIFI
from tests.directories import GROUPS, PEOPLE, Slapd
from users.models import Directory, Group, User
from users.services.directory import client, groups, sync
from users.services.directory.store import LOOK_AGAIN

pytestmark = [pytest.mark.service("slapd"), pytest.mark.django_db(transaction=True)]


def choose(directory: Directory, dn: str, kind: str = Group.Kind.GROUP) -> Group:
    with client.connected(directory) as connection:
        group = groups.choose(connection, dn, kind, actor="admin")
    assert group is not None
    return group


def members(group: Group) -> set[str]:
    return set(group.memberships.values_list("user__user_id", flat=True))


@pytest.mark.parametrize("member_of", ["", "memberOf"])
@pytest.mark.parametrize(("nesting", "expected"), [("none", {"anna"}), ("recursive", {"anna", "berta", "carl"})])
def test_members_of_groups_in_a_group(
    server: Slapd, directory: Directory, member_of: str, nesting: str, expected: set[str]
) -> None:
    directory.schema = {"member_of": member_of, "nesting": nesting}
    directory.save()
    anna, berta, carl = (server.add_person(name) for name in ("anna", "berta", "carl"))
    lowest = server.add_group("lowest", [carl])
    middle = server.add_group("middle", [berta, lowest])
    top = server.add_group("top", [anna, middle])
    server.change(lowest, member=[carl, top])  # round and round
    group = choose(directory, top)
    sync.run(directory)

    assert members(group) == expected


def test_only_chosen_groups_are_kept_and_follow_their_directory(server: Slapd, directory: Directory) -> None:
    anna, berta = server.add_person("anna"), server.add_person("berta")
    team = choose(directory, server.add_group("team", [anna]))
    server.add_group("other", [berta])
    sync.run(directory)
    assert [*Group.objects.all()] == [team]

    server.change(team.dn, member=[berta])
    server.rename(team.dn, "cn=crew")
    sync.run(directory)
    team.refresh_from_db()
    assert (team.name, members(team), team.people) == ("crew", {"berta"}, 1)

    server.remove(team.dn)
    sync.run(directory)
    team.refresh_from_db()
    assert team.gone_at is not None
    assert (members(team), team.people) == (set(), 0)


def test_a_unit_has_those_who_stand_below_it(server: Slapd, directory: Directory) -> None:
    server.add(f"ou=sales,{PEOPLE}", objectClass="organizationalUnit", ou="sales")
    server.add_person("anna", unit=f"ou=sales,{PEOPLE}")
    server.add_person("berta")
    unit = choose(directory, f"ou=sales,{PEOPLE}", Group.Kind.UNIT)
    sync.run(directory)

    assert (unit.name, members(unit)) == ("sales", {"anna"})


def test_members_by_user_id(server: Slapd, directory: Directory) -> None:
    directory.schema = {"member": "memberUid"}
    directory.save()
    server.add_person("anna")
    dn = f"cn=unix,{GROUPS}"
    server.add(dn, objectClass="posixGroup", cn="unix", gidNumber="5", memberUid=["anna", "nobody"])
    group = choose(directory, dn)
    sync.run(directory)

    assert members(group) == {"anna"}


def followed(label: Label) -> set[str]:
    """Whose devices are in it when the worker has looked at those that changed just now."""
    Device.objects.update(modified_at=timezone.now() - timedelta(hours=1))
    waiting = Job.objects.filter(kind=LOOK_AGAIN)
    for job in waiting:
        jobs.run(job.kind, job.arguments)
    waiting.delete()
    label_members.follow_changes()
    return set(label.members.values_list("device__user__user_id", flat=True))


def test_a_label_that_names_a_group_follows_it_at_once(server: Slapd, directory: Directory) -> None:
    anna, berta = server.add_person("anna"), server.add_person("berta")
    team = choose(directory, server.add_group("team", [anna]))
    sync.run(directory)
    Device.objects.bulk_create(Device(user=user) for user in User.objects.all())
    label = labels.create("Team", criteria="user.ldap.groups.name = team", actor="admin")
    configurations.assign(uploaded(WIFI), label, actor="admin")
    label_members.evaluate(label.pk)
    assert followed(label) == {"anna"}

    server.change(team.dn, member=[berta])
    sync.run(directory)
    assert followed(label) == {"berta"}
    sync.run(directory)
    assert not Job.objects.filter(kind=LOOK_AGAIN).exists(), "nothing has changed"

    for name, expected in (("crew", set()), ("team", {"berta"})):
        server.rename(team.dn, f"cn={name}")
        sync.run(directory)
        team.refresh_from_db()
        assert followed(label) == expected

    groups.let_go(team, actor="admin")
    assert followed(label) == set()
