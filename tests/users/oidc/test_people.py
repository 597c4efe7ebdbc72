"""Whom a provider's person is here, and whom nobody becomes."""

from typing import Any

import pytest

from epmm.models import AuditEntry
from tests.factories import user as new_user
from tests.providers.pretender import row
from users.errors import AccountDisabled, NotInGroup, NotKnownHere
from users.models import AdminRole, DirectoryEntry, Group, GroupRole, IdentityProvider, Membership, Role, User
from users.protocol.claims import Claimed
from users.services import administrators, people, pins
from users.services.oidc.people import arrive, provider_of
from users.services.people import NewPerson

pytestmark = pytest.mark.django_db


@pytest.fixture
def provider() -> IdentityProvider:
    return row()


def claimed(**changes: Any) -> Claimed:
    return Claimed(**({"subject": "s-anna", "user_id": "anna", "full_name": "Anna Berg"} | changes))


def added_beforehand(**changes: Any) -> User:
    return people.create(NewPerson(**({"user_id": "anna"} | changes)), actor="admin")


def test_somebody_new_is_added(provider: IdentityProvider) -> None:
    user = arrive(provider, claimed(email="anna@corp.example", first_name="Anna", last_name="Berg"))

    user.refresh_from_db()
    assert (user.user_id, user.email, user.full_name, user.source) == ("anna", "anna@corp.example", "Anna Berg", "oidc")
    assert (user.is_admin, user.has_usable_password()) == (False, False)
    assert user.role_keys() == {Role.PORTAL}
    assert provider_of(user, IdentityProvider.objects.all()) == provider
    assert AuditEntry.objects.filter(action="user.created", subject="anna").exists()


def test_who_comes_again_is_the_same_whatever_their_name_is_now(provider: IdentityProvider) -> None:
    first = arrive(provider, claimed())

    again = arrive(provider, claimed(user_id="anna.larsen", full_name="Anna Larsen"))

    assert again.pk == first.pk
    assert (again.user_id, again.full_name) == ("anna", "Anna Larsen")
    assert User.objects.count() == 1


def test_the_same_sub_at_another_provider_is_somebody_else(provider: IdentityProvider) -> None:
    arrive(provider, claimed())

    other = arrive(row(name="Another"), claimed(user_id="anna2"))

    assert other.user_id == "anna2"


def test_a_new_name_does_not_lead_to_who_had_it_before(provider: IdentityProvider) -> None:
    bob = arrive(provider, claimed(subject="s-bob", user_id="bob"))
    arrive(provider, claimed())

    with pytest.raises(NotKnownHere):
        arrive(provider, claimed(subject="s-mallory", user_id="bob"))
    assert arrive(provider, claimed(subject="s-anna", user_id="bob")).user_id == "anna"
    assert DirectoryEntry.objects.get(user=bob).external_id == "s-bob"


def test_who_was_added_beforehand_is_linked_where_the_provider_may(provider: IdentityProvider) -> None:
    person = added_beforehand(roles=[Role.ADDE], managed_apple_account="anna@mdm.example.test")

    with pytest.raises(NotKnownHere):
        arrive(provider, claimed())
    provider.links_people = True

    assert arrive(provider, claimed(user_id="Anna")).pk == person.pk
    assert person.role_keys() == {Role.PORTAL, Role.ADDE}
    assert AuditEntry.objects.filter(action="user.linked", subject="anna").exists()


def with_password() -> None:
    added_beforehand(password="correct horse battery")


def administrator() -> None:
    administrators.set_roles(added_beforehand(), [AdminRole.USER_VIEW], actor="admin")


def with_pin() -> None:
    pins.issue(added_beforehand(), actor="admin")


def of_a_directory() -> None:
    from users.models import Directory

    person = added_beforehand()
    User.objects.filter(pk=person.pk).update(source=User.Source.LDAP)
    DirectoryEntry.objects.create(user=person, directory=Directory.objects.create(name="AD"), external_id="g-1")


def of_another_provider() -> None:
    arrive(row(name="Another"), claimed(subject="s-other"))


@pytest.mark.parametrize("made", [with_password, administrator, with_pin, of_a_directory, of_another_provider])
def test_nobody_takes_over_an_account(provider: IdentityProvider, made: Any) -> None:
    made()
    provider.links_people = True
    before = list(DirectoryEntry.objects.values_list("user", "external_id"))

    with pytest.raises(NotKnownHere):
        arrive(provider, claimed())

    assert list(DirectoryEntry.objects.values_list("user", "external_id")) == before
    assert User.objects.count() == 1


def test_an_email_address_leads_to_nobody(provider: IdentityProvider) -> None:
    provider.links_people = True
    boss = new_user("boss", email="boss@corp.example", is_admin=True)

    user = arrive(provider, claimed(email="BOSS@corp.example"))

    assert (user.pk != boss.pk, user.email) == (True, "")


@pytest.mark.parametrize("user_id", ["", "anna berg", "x" * 151, "anna_MI12", "änna"])
def test_a_user_id_that_is_none(provider: IdentityProvider, user_id: str) -> None:
    with pytest.raises(NotKnownHere):
        arrive(provider, claimed(user_id=user_id))

    assert not User.objects.exists()


def test_a_provider_that_adds_nobody(provider: IdentityProvider) -> None:
    provider.creates_people = False

    with pytest.raises(NotKnownHere):
        arrive(provider, claimed())


def test_who_is_disabled_stays_out(provider: IdentityProvider) -> None:
    people.set_active(arrive(provider, claimed()), is_active=False, actor="admin")

    with pytest.raises(AccountDisabled):
        arrive(provider, claimed(full_name="Another Name"))

    assert User.objects.get().full_name == "Anna Berg"


@pytest.mark.parametrize(
    ("groups", "why"),
    [(frozenset({"Guests"}), ""), (frozenset(), ""), (None, "the provider sent no groups")],
)
def test_only_some_groups_sign_in(provider: IdentityProvider, groups: frozenset[str] | None, why: str) -> None:
    provider.allowed_groups = "Staff\n Managers \n"

    with pytest.raises(NotInGroup) as refusal:
        arrive(provider, claimed(groups=groups))
    assert refusal.value.why == why
    assert not User.objects.exists()

    assert arrive(provider, claimed(groups=frozenset({"Managers"}))).user_id == "anna"


def test_chosen_groups_hand_down_their_roles(provider: IdentityProvider) -> None:
    staff = Group.objects.create(provider=provider, external_id="Staff", name="Staff")
    GroupRole.objects.create(group=staff, key=Role.ADDE, granted_by="admin")
    Group.objects.create(provider=row(name="Another"), external_id="Guests", name="Guests")

    user = arrive(provider, claimed(groups=frozenset({"Staff", "Guests", "Unheard of"})))
    assert user.role_keys() == {Role.PORTAL, Role.ADDE}
    assert Membership.objects.count() == 1

    arrive(provider, claimed(groups=None))  # not said
    assert user.role_keys() == {Role.PORTAL, Role.ADDE}
    arrive(provider, claimed(groups=frozenset({"Guests"})))
    assert user.role_keys() == {Role.PORTAL}


def test_the_managed_apple_account_comes_from_a_claim(provider: IdentityProvider) -> None:
    provider.account_claim = "account"
    user = arrive(provider, claimed(account="Anna@MDM.example.test"))
    user.refresh_from_db()
    assert user.managed_apple_account == "anna@mdm.example.test"

    arrive(provider, claimed(subject="s-bob", user_id="bob", account="anna@mdm.example.test"))
    arrive(provider, claimed(account="anna@elsewhere.example"))

    assert User.objects.get(user_id="bob").managed_apple_account is None
    assert User.objects.get(user_id="anna").managed_apple_account == "anna@mdm.example.test"
    assert AuditEntry.objects.filter(action="user.account_refused").count() == 2


def test_somebody_who_is_in_step_costs_few_queries(
    provider: IdentityProvider, django_assert_max_num_queries: Any
) -> None:
    arrive(provider, claimed(groups=frozenset({"Staff"})))

    with django_assert_max_num_queries(9):
        arrive(provider, claimed(groups=frozenset({"Staff"})))
