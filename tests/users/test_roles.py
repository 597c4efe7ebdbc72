import pytest
from django.db import IntegrityError, transaction

from epmm.models import AuditEntry
from tests import factories
from tests.together import together
from users.errors import InvalidAccount, InvalidGrant, InvalidPerson
from users.models import PORTAL_CHILDREN, Group, GroupRole, IdentityProvider, Membership, Role, RoleGrant, User
from users.services import roles

ACCOUNT = "alice@mdm.example.test"


@pytest.fixture
def alice() -> User:
    return factories.user("alice", roles=())


@pytest.mark.django_db
def test_a_grant_acts_at_once_and_is_audited(alice: User) -> None:
    opened_before = User.objects.get()

    roles.grant(alice, ["portal", "portal.wipe"], actor="root")

    assert opened_before.role_keys() == {Role.PORTAL, Role.PORTAL_WIPE}
    assert {grant.granted_by for grant in RoleGrant.objects.all()} == {"root"}
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.subject) == ("roles.granted", "root", "alice")
    assert entry.details == {"before": [], "after": ["portal", "portal.wipe"]}


@pytest.mark.django_db
def test_granting_and_removing_again_change_nothing_more(alice: User) -> None:
    for _ in range(2):
        roles.grant(alice, [Role.PORTAL, Role.PORTAL], actor="root")
    assert alice.role_keys() == {Role.PORTAL}

    for _ in range(2):
        roles.remove(alice, [Role.PORTAL], actor="root")
    assert alice.role_keys() == set()
    assert [entry.action for entry in AuditEntry.objects.order_by("pk")] == ["roles.granted", "roles.removed"]


@pytest.mark.django_db
@pytest.mark.parametrize("key", [Role.ADDE, Role.AAUE])
def test_account_driven_roles_need_an_account(alice: User, key: Role) -> None:
    with pytest.raises(InvalidAccount, match="Enter the Managed Apple Account"):
        roles.grant(alice, [key], actor="root")
    assert alice.role_keys() == set()

    roles.grant(alice, [key], actor="root", managed_apple_account=ACCOUNT)
    assert alice.role_keys() == {key}
    assert alice.managed_apple_account == ACCOUNT

    roles.remove(alice, [key], actor="root")
    roles.grant(alice, [key], actor="root")  # the account is still there
    assert alice.role_keys() == {key}


@pytest.mark.django_db
@pytest.mark.parametrize("account", ["", "alice", "alice@elsewhere.example", "bob@mdm.example.test"])
def test_a_refused_account_grants_nothing(alice: User, account: str) -> None:
    factories.user("bob", managed_apple_account="bob@mdm.example.test")

    with pytest.raises(InvalidAccount):
        roles.grant(alice, [Role.ADDE], actor="root", managed_apple_account=account)

    alice.refresh_from_db()
    assert alice.role_keys() == set()
    assert alice.managed_apple_account is None
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("child", sorted(PORTAL_CHILDREN))
def test_a_child_needs_the_portal_and_goes_with_it(alice: User, child: Role) -> None:
    with pytest.raises(InvalidGrant, match=f"{child} needs the role portal"):
        roles.grant(alice, [child], actor="root")

    roles.grant(alice, [child, Role.PORTAL], actor="root")
    roles.grant(alice, [Role.ADDE], actor="root", managed_apple_account=ACCOUNT)
    roles.remove(alice, [Role.PORTAL], actor="root")

    assert alice.role_keys() == {Role.ADDE}
    assert AuditEntry.objects.filter(action="roles.removed").get().details == {
        "before": sorted(["apple.adde", "portal", child]),
        "after": ["apple.adde"],
    }


def test_the_portal_has_nine_children() -> None:
    assert len(PORTAL_CHILDREN) == 9


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "PORTAL", "apple", "apple.ue_profile"])
def test_unknown_keys_are_refused_naming_the_known(alice: User, key: str) -> None:
    for change in (roles.grant, roles.remove):
        with pytest.raises(InvalidPerson, match=r"The roles are portal, .*apple\.aaue"):
            change(alice, [Role.PORTAL, key], actor="root")

    assert alice.role_keys() == set()


@pytest.mark.django_db(transaction=True)
def test_grants_at_once_leave_one_row(alice: User) -> None:
    outcomes = together(*[lambda: roles.grant(alice, [Role.PORTAL], actor="root")] * 4)

    assert outcomes == [None] * 4
    assert RoleGrant.objects.count() == 1
    assert AuditEntry.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_no_child_is_granted_while_the_portal_goes(alice: User) -> None:
    roles.grant(alice, [Role.PORTAL], actor="root")

    together(
        lambda: roles.grant(alice, [Role.PORTAL_WIPE], actor="root"),
        lambda: roles.remove(alice, [Role.PORTAL], actor="root"),
    )

    assert alice.role_keys() == set()


@pytest.mark.django_db
def test_the_database_keeps_a_grant_once(alice: User) -> None:
    roles.grant(alice, [Role.PORTAL], actor="root")

    with pytest.raises(IntegrityError), transaction.atomic():
        RoleGrant.objects.create(user=alice, key=Role.PORTAL, granted_by="somebody")


@pytest.mark.django_db
def test_a_member_has_what_the_group_hands_down_and_nothing_that_hangs_on_the_portal_without_it() -> None:
    anna = User.objects.create(user_id="anna")
    sales = Group.objects.create(
        provider=IdentityProvider.objects.create(name="Example"), external_id="sales", name="Sales"
    )
    GroupRole.objects.create(group=sales, key=Role.ADDE, granted_by="test")
    GroupRole.objects.create(group=sales, key=Role.PORTAL_LOCK, granted_by="test")
    assert anna.role_keys() == frozenset()

    Membership.objects.create(group=sales, user=anna)
    assert anna.role_keys() == {Role.ADDE}
    assert anna.granted_role_keys() == frozenset()

    roles.grant(anna, [Role.PORTAL], actor="test")
    assert anna.role_keys() == {Role.ADDE, Role.PORTAL, Role.PORTAL_LOCK}
