"""What is peculiar to Active Directory, on a domain controller of Samba."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from tests import samba
from tests.samba import BASE, DISABLED, DOMAIN, ENABLED, PASSWORD, USERS, Controller
from tests.users.directory.test_groups import choose, members
from tests.users.directory.test_sign_in import enter, refusal
from users.errors import WrongCredentials
from users.models import Directory, DirectoryEntry, Membership, User
from users.services import directories
from users.services.directory import client, sync

pytestmark = [pytest.mark.service("samba", "sqlite"), pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def controller() -> Iterator[Controller]:
    """Anna is in Inner, which is in Middle, which is in Outer; Berta's primary group is Middle; Carl is disabled."""
    with samba.running() as made:
        anna, berta = made.add_person("anna"), made.add_person("berta")
        made.add_person("carl", userAccountControl=DISABLED)
        middle = made.add_group("Middle 100%", [made.add_group("Inner (A)", [anna]), berta])
        made.add_group("Outer", [middle])
        made.change(berta, primaryGroupID=made.number_of(middle))
        yield made


@pytest.fixture
def directory(controller: Controller) -> Directory:
    client.forget_failures()
    return samba.directory(controller)


def test_people_are_known_by_what_stays_and_the_disabled_are_not_there(
    controller: Controller, directory: Directory
) -> None:
    """The whole domain is read, so referrals to its other parts come along, which are left alone."""
    sync.run(directory)

    found = {entry.user.user_id: entry for entry in DirectoryEntry.objects.select_related("user")}
    assert {"anna", "berta", "Administrator"} <= found.keys()
    assert not {"carl", "Guest", "krbtgt"} & found.keys()
    assert UUID(found["anna"].external_id).version == 4
    assert (found["anna"].dn, found["anna"].user.upn) == (f"CN=Anna,{USERS}", f"anna.person@{DOMAIN}")
    assert sync.run_here(directory) is not None
    assert DirectoryEntry.objects.count() == len(found)


def test_groups_in_groups_and_primary_groups(controller: Controller, directory: Directory) -> None:
    outer, middle, inner, everybody = (
        choose(directory, f"CN={name},{USERS}") for name in ("Outer", "Middle 100%", "Inner (A)", "Domain Users")
    )
    sync.run(directory)

    assert (members(outer), members(middle), members(inner)) == ({"anna", "berta"}, {"anna", "berta"}, {"anna"})
    assert {"anna", "Administrator"} <= members(everybody), "whose primary group it is"
    looked = directories.look_at(directory, "berta")
    assert {"Middle 100%", "Outer"} <= set(looked.groups)
    assert set(looked.chosen) == {middle, outer, everybody}, "of the one before she is a member like others"

    before = set(Membership.objects.values_list("user__user_id", "group__name"))
    Membership.objects.all().delete()
    assert (enter("anna", PASSWORD).user_id, enter("berta", PASSWORD).user_id) == ("anna", "berta")
    signed_in = set(Membership.objects.values_list("user__user_id", "group__name"))
    assert signed_in == {each for each in before if each[0] in {"anna", "berta"}}, "a sign-in finds what a sync finds"


@pytest.mark.parametrize("name", ["anna", "ANNA", f"anna.person@{DOMAIN}", f"anna@{DOMAIN}", "anna@mdm.example.test"])
def test_by_any_of_their_names(directory: Directory, name: str) -> None:
    assert enter(name, PASSWORD).user_id == "anna"
    assert refusal(name, "wrong") is WrongCredentials


def test_who_is_disabled_does_not_come_in_and_is_disabled_by_the_next_sync(
    controller: Controller, directory: Directory
) -> None:
    assert refusal("carl", PASSWORD) is WrongCredentials
    dora = controller.add_person("dora")
    sync.run(directory)
    assert enter("dora", PASSWORD).is_active

    controller.change(dora, userAccountControl=DISABLED)
    assert refusal("dora", PASSWORD) is WrongCredentials
    sync.run(directory)
    assert not User.objects.get(user_id="dora").is_active
    controller.change(dora, userAccountControl=ENABLED)
    sync.run(directory)
    assert User.objects.get(user_id="dora").is_active


def test_somebody_renamed_is_the_same(controller: Controller, directory: Directory) -> None:
    emil = controller.add_person("emil")
    sync.run(directory)
    before = User.objects.get(user_id="emil").pk
    controller.rename(emil, "CN=Emil Larsen")
    controller.change(f"CN=Emil Larsen,{USERS}", sAMAccountName="larsen")

    assert enter("larsen", PASSWORD).pk == before


def test_what_is_more_than_a_page(directory: Directory) -> None:
    with client.connected(directory) as connection:
        pages = list(connection.pages(BASE, "sub", "(sAMAccountName=*)", ["cn"], size=10))

    assert len(pages) > 2
    assert max(map(len, pages)) <= 10
