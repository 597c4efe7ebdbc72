from dataclasses import replace

import pytest
from django.db import connection
from django.test import override_settings
from pytest_django import DjangoAssertNumQueries

from epmm import settings as product
from epmm import statistics
from epmm.models import AuditEntry
from tests import factories
from tests.together import together
from users.errors import InvalidPerson, UnknownPerson
from users.models import AdminRole, Role, User
from users.services import people
from users.services.people import NewPerson

DOMAINS = ("mdm.example.test", "corp.example.test")
ALICE = NewPerson(user_id="alice", password="correct horse battery")


@pytest.mark.django_db
def test_a_new_person_may_use_the_portal_and_is_audited() -> None:
    alice = people.create(
        NewPerson(
            user_id="alice",
            display_name=" Alice Adams ",
            email="alice@corp.example.test",
            managed_apple_account="Alice@MDM.example.test",
            password="correct horse battery",
            roles=[Role.ADDE],
            is_admin=True,
        ),
        actor="root",
    )

    alice.refresh_from_db()
    assert alice.role_keys() == {Role.PORTAL, Role.ADDE}
    assert alice.display_name == "Alice Adams"
    assert alice.managed_apple_account == "alice@mdm.example.test"
    assert alice.check_password("correct horse battery")
    assert alice.is_admin
    assert not alice.must_change_password
    created, granted, appointed = AuditEntry.objects.order_by("pk")
    assert (created.action, created.actor, created.subject) == ("user.created", "root", "alice")
    assert granted.details == {"before": [], "after": ["apple.adde", "portal"]}
    assert appointed.details == {"added": sorted(AdminRole.values), "removed": []}
    assert "battery" not in str(list(AuditEntry.objects.values()))


@pytest.mark.django_db
def test_without_a_password_no_password_is_right() -> None:
    alice = people.create(replace(ALICE, password=None), actor="root")

    assert not alice.has_usable_password()


@pytest.mark.django_db
@override_settings(PASSWORD_HASHERS=product.PASSWORD_HASHERS)
def test_passwords_are_kept_as_argon2() -> None:
    assert people.create(ALICE, actor="root").password.startswith("argon2$argon2id$")


@pytest.mark.django_db
@pytest.mark.parametrize("user_id", ["a", "A.b-c_d@e$f#9", "x" * 150, "anna_mi", "_MI", "-"])
def test_user_ids_that_serve(user_id: str) -> None:
    assert people.create(replace(ALICE, user_id=user_id), actor="root").user_id == user_id


@pytest.mark.django_db
@pytest.mark.parametrize(
    "user_id",
    [
        "",
        " ",
        "al ice",
        "alice ",
        "alice\n",
        "ali\0ce",
        "álice",
        "\u212aate",
        "a/b",
        "a:b",
        "<a>",
        "x" * 151,
        "_MI1",
        "bob_MI42",
        "bob_mi42x",
    ],
)
def test_user_ids_that_are_refused(user_id: str) -> None:
    with pytest.raises(InvalidPerson, match="user ID"):
        people.create(replace(ALICE, user_id=user_id), actor="root")

    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"email": "no address"}, "email address"),
        ({"email": "a@b@c.example"}, "email address"),
        ({"display_name": "Al\nice"}, "line breaks"),
        ({"first_name": "x" * 151}, "at most 150"),
        ({"password": ""}, "at least 8 characters"),
        ({"password": "password"}, "too common"),
        ({"password": "x" * 1025}, "at most 1,024"),
        ({"password": "long enough \udcff"}, "not valid text"),
        ({"managed_apple_account": "alice"}, "Managed Apple Account"),
        ({"managed_apple_account": "alice@elsewhere.example"}, "does not belong"),
        ({"roles": ["apple.adde"]}, "Managed Apple Account"),
        ({"roles": ["apple.king"]}, "no role apple.king"),
    ],
)
def test_whatever_is_refused_leaves_nobody_behind(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidPerson, match=sentence):
        people.create(replace(ALICE, **change), actor="root")  # type: ignore[arg-type] # each value fits its field

    assert not User.objects.exists()
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        ({"user_id": "ALICE"}, "user ID ALICE is taken"),
        ({"email": "Alice@Corp.example.test"}, "already has the email address"),
        ({"managed_apple_account": "alice@MDM.example.test"}, r"Another user \(Alice Adams\) already has this"),
    ],
)
def test_names_belong_to_one_person_whatever_their_case(second: dict[str, str], sentence: str) -> None:
    people.create(
        replace(
            ALICE,
            display_name="Alice Adams",
            email="alice@corp.example.test",
            managed_apple_account="alice@mdm.example.test",
        ),
        actor="root",
    )

    with pytest.raises(InvalidPerson, match=sentence):
        people.create(NewPerson(**{"user_id": "bob", **second}), actor="root")  # type: ignore[arg-type] # all text

    assert User.objects.count() == 1


@pytest.mark.django_db
def test_any_number_of_people_have_neither_email_nor_account() -> None:
    for user_id in ("alice", "bob", "carol"):
        people.create(replace(ALICE, user_id=user_id), actor="root")

    assert User.objects.filter(email="", managed_apple_account=None).count() == 3


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_a_name_at_once_one_gets_it() -> None:
    outcomes = together(
        lambda: people.create(replace(ALICE, user_id="alice"), actor="root"),
        lambda: people.create(replace(ALICE, user_id="Alice"), actor="root"),
        lambda: people.create(replace(ALICE, user_id="ALICE"), actor="root"),
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InvalidPerson", "InvalidPerson", "User"]
    assert User.objects.count() == 1


@pytest.mark.django_db
def test_a_name_that_was_let_go_in_the_same_moment_is_refused_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    factories.user("alice")
    monkeypatch.setattr(people, "refuse_taken", lambda _: User.objects.all().delete())

    with pytest.raises(InvalidPerson, match=r"changed at the same moment\. Try again\."):
        people.create(ALICE, actor="root")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "typed",
    [
        "alice",
        "ALICE",
        " Alice ",
        "alice@mdm.example.test",
        "Alice@Corp.Example.Test",
        "a.adams@mail.example",
        "managed.alice@mdm.example.test",
    ],
)
def test_a_person_is_found_by_any_of_their_names(typed: str) -> None:
    factories.user("bob", email="bob@mail.example", managed_apple_account="bob@mdm.example.test")
    alice = factories.user(
        "Alice", email="A.Adams@mail.example", managed_apple_account="managed.alice@mdm.example.test"
    )

    assert people.resolve(typed, DOMAINS) == alice


@pytest.mark.django_db
@pytest.mark.parametrize(
    "typed",
    [
        "",
        " ",
        "@",
        "@mdm.example.test",
        "mdm.example.test",
        "alice@elsewhere.example",
        "alice@@mdm.example.test",
        "al%",
        "alic_",
        "alice\0",
        "al\nice",
        "\udcff",
        "x" * 321,
        "aliceé",
        "alice@mdm.example.test@mdm.example.test",
    ],
)
def test_nobody_is_found_by_anything_else(typed: str) -> None:
    factories.user("alice")
    factories.user("nobody", email="")

    assert people.resolve(typed, DOMAINS) is None


@pytest.mark.django_db
def test_the_closer_name_wins() -> None:
    name = "alice@mdm.example.test"
    by_local_part = factories.user("alice")
    assert people.resolve(name, DOMAINS) == by_local_part
    by_email = factories.user("b", email=name)
    assert people.resolve(name, DOMAINS) == by_email
    by_account = factories.user("c", managed_apple_account=name)
    assert people.resolve(name, DOMAINS) == by_account
    by_user_id = factories.user(name)
    assert people.resolve(name, DOMAINS) == by_user_id


@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["alice", "alice@mdm.example.test", "nobody", "nobody@mdm.example.test"])
def test_the_number_of_queries_does_not_tell_who_exists(
    typed: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    factories.user("alice")

    with django_assert_num_queries(1):
        people.resolve(typed, DOMAINS)


@pytest.mark.django_db
def test_nobody_is_looked_for_by_reading_everybody() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # else it reads a small table whole, and rightly
    else:
        User.objects.bulk_create(User(user_id=f"user{number}") for number in range(2000))  # who have no account yet
        statistics.renew()

    plan = people._candidates("alice@mdm.example.test", "alice").explain()

    # SQLite has two of each that serve
    assert any(index in plan for index in ("user_id_ignores_case", "user_id_begins"))
    assert any(index in plan for index in ("user_email_ignores_case", "user_email_begins"))
    assert "scan users_user" not in plan.lower()
    assert "seq scan" not in plan.lower()


@pytest.mark.django_db
def test_administrators_name_people_by_user_id_alone() -> None:
    alice = factories.user("Alice", email="alice@corp.example.test")

    assert people.by_user_id("aLICE") == alice
    with pytest.raises(UnknownPerson, match=r"no user alice@corp\.example\.test"):
        people.by_user_id("alice@corp.example.test")


def test_a_password_on_its_way_is_not_shown() -> None:
    assert "battery" not in repr(ALICE)
