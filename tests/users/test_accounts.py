from typing import Any

import pytest

from epmm import settings_store
from epmm.models import AuditEntry
from tests import factories
from tests.together import together
from users.errors import InvalidAccount
from users.models import User
from users.services import accounts

ACCOUNT = "alice@mdm.example.test"


@pytest.mark.django_db
@pytest.mark.parametrize("typed", [ACCOUNT, " Alice@MDM.Example.Test\n", "ALICE@mdm.example.test"])
def test_an_account_is_stored_in_lower_case_and_audited(typed: str) -> None:
    alice = factories.user("alice")

    accounts.assign(alice, typed, actor="root")

    assert alice.managed_apple_account == ACCOUNT
    assert User.objects.get().managed_apple_account == ACCOUNT
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.subject) == ("user.account_changed", "root", "alice")
    assert entry.details == {"from": None, "to": ACCOUNT}


@pytest.mark.django_db
def test_the_same_account_again_changes_nothing() -> None:
    alice = factories.user("alice", managed_apple_account=ACCOUNT)

    accounts.assign(alice, ACCOUNT.upper(), actor="root")

    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
def test_where_no_account_could_belong_a_domain_is_asked_for(settings: Any) -> None:
    settings.PUBLIC_HOST = "localhost"
    with pytest.raises(InvalidAccount, match="Add an enrollment domain"):
        accounts.normalized("alice@localhost")

    settings_store.change("enrollment.domains", "example.com", actor="test")
    with pytest.raises(InvalidAccount, match=r"for example name@example\.com"):
        accounts.normalized("alice@localhost")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "typed",
    [
        "",
        "alice",
        "alice@",
        "@mdm.example.test",
        "a@b@mdm.example.test",
        "alice@localhost",
        "alice@mdm.example.test.",
        "al ice@mdm.example.test",
        "álice@mdm.example.test",
        "al\0ice@mdm.example.test",
        "al\nice@mdm.example.test",
        "alice@mdm_example.test",
        "alice@-mdm.example.test",
        f"{'a' * 304}@mdm.example.test",
    ],
)
def test_what_is_no_account_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(InvalidAccount) as refusal:
        accounts.normalized(typed)

    assert str(refusal.value) == (
        "Enter the Managed Apple Account this person signs in with, for example name@mdm.example.test."
    )


@pytest.mark.django_db
def test_the_longest_account() -> None:
    longest = f"{'a' * 303}@mdm.example.test"
    assert len(longest) == accounts.LONGEST

    assert accounts.normalized(longest) == longest


@pytest.mark.django_db
def test_a_foreign_domain_is_refused_naming_ours() -> None:
    settings_store.change("enrollment.domains", "one.example,two.example", actor="root")

    with pytest.raises(InvalidAccount) as refusal:
        accounts.normalized("Alice@mdm.example.test")

    assert str(refusal.value) == (
        '"alice@mdm.example.test" does not belong to an enrollment domain of this server (one.example, two.example). '
        "Change the account or add the domain under Settings."
    )
    assert accounts.normalized("alice@two.example") == "alice@two.example"


@pytest.mark.django_db
def test_another_persons_account_is_refused_naming_them() -> None:
    factories.user("bob", full_name="Bob Brown", managed_apple_account=ACCOUNT)
    alice = factories.user("alice")

    with pytest.raises(InvalidAccount) as refusal:
        accounts.assign(alice, ACCOUNT, actor="root")

    assert str(refusal.value) == "Another user (Bob Brown) already has this Managed Apple Account."
    assert alice.managed_apple_account is None
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_an_account_at_once_one_gets_it() -> None:
    alice, bob = factories.user("alice"), factories.user("bob")

    outcomes = together(
        lambda: accounts.assign(alice, ACCOUNT, actor="root"), lambda: accounts.assign(bob, ACCOUNT, actor="root")
    )

    assert {type(outcome) for outcome in outcomes} == {type(None), InvalidAccount}
    assert User.objects.filter(managed_apple_account=ACCOUNT).count() == 1


@pytest.mark.django_db
def test_an_account_that_was_let_go_in_the_same_moment_is_refused_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    factories.user("bob", managed_apple_account=ACCOUNT)
    alice = factories.user("alice")
    look = accounts.refuse_taken

    def look_too_late(value: str) -> None:
        User.objects.filter(user_id="bob").update(managed_apple_account=None)
        look(value)

    monkeypatch.setattr(accounts, "refuse_taken", look_too_late)

    with pytest.raises(InvalidAccount, match=r"changed at the same moment\. Try again\."):
        accounts.assign(alice, ACCOUNT, actor="root")
