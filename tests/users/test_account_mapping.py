"""What directories and providers map, what comes of it, and that a live enrollment keeps its account."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from devices.models import Device, Enrollment
from epmm import settings_store
from epmm.models import AuditEntry
from tests import factories
from tests.devices.services import rows
from users.models import Directory, DirectoryEntry, IdentityProvider, User
from users.services import account_conflicts, account_mapping, accounts
from users.services.account_mapping import Mapped, Outcome, Rule, Wanted
from users.services.accounts import State

pytestmark = pytest.mark.django_db
OURS = "mdm.example.test"


@pytest.fixture
def directory() -> Directory:
    return Directory.objects.create(name="Corp", account_attribute="mail")


def person(directory: Directory, name: str, mail: str | None = None, **columns: Any) -> DirectoryEntry:
    """As the sync before has left them: with what was mapped then."""
    user = factories.user(name, source=User.Source.LDAP, **columns)
    said = columns.get("managed_apple_account") or ""
    attributes = {"Mail": [f"{name}@{OURS}" if mail is None else mail]} if mail != "" else {}
    return DirectoryEntry.objects.create(
        user=user, directory=directory, external_id=name, attributes=attributes, account=said
    )


def enrolled(entry: DirectoryEntry) -> Enrollment:
    """No push reaches the device, which changes nothing here."""
    status = Device.Status.ACTIVE
    return rows.enrolled(device=Device.objects.create(user=entry.user, udid=entry.external_id, status=status))


def followed(*entries: DirectoryEntry) -> list[str]:
    wanted = []
    for entry in entries:
        assert entry.directory is not None
        mapped = account_mapping.read(Rule.of(entry.directory), entry.attributes, entry.user)
        wanted.append(Wanted(user=entry.user, entry=entry, mapped=mapped, said_before=entry.account))
    problems = account_mapping.follow(wanted, actor="directory Corp")
    for entry in entries:
        entry.user.save()
        entry.save()
    return problems


def standing(entry: DirectoryEntry) -> tuple[State, str | None]:
    entry = DirectoryEntry.objects.select_related("user").get(pk=entry.pk)
    return State(entry.account_state), entry.user.managed_apple_account


ANNA = User(user_id="anna@corp.example", first_name="Anna", last_name="Adler", email="a.adler@corp.example")


@pytest.mark.parametrize(
    ("rule", "mapped"),
    [
        (Rule(source="typed", name="mail"), Mapped()),
        (Rule(source="said", name=""), Mapped()),
        (Rule(source="said", name="mail"), Mapped(f"anna@{OURS}")),
        (Rule(source="said", name="MAIL"), Mapped(f"anna@{OURS}")),
        (Rule(source="pattern", pattern="{email_name}@{domain}"), Mapped(f"a.adler@{OURS}")),
        (Rule(source="pattern", pattern="{user_id}@{domain}"), Mapped(f"anna@{OURS}")),
    ],
)
def test_where_an_account_comes_from(rule: Rule, mapped: Mapped) -> None:
    assert account_mapping.read(rule, {"mail": [f" Anna@{OURS.upper()}", "second@x.example"]}, ANNA) == mapped


@pytest.mark.parametrize(
    ("rule", "attributes", "state", "text"),
    [
        (Rule(source="said", name="mail"), {}, State.MISSING, ""),
        (Rule(source="said", name="mail"), {"mail": [" "]}, State.MISSING, ""),
        (Rule(source="said", name="mail"), {"mail": ["No\0body"]}, State.INVALID, "no?body"),
        (Rule(source="said", name="mail"), {"mail": ["A@Elsewhere.example"]}, State.FOREIGN, "a@elsewhere.example"),
        (Rule(source="pattern", pattern="{first_name}@{domain}"), {}, State.MISSING, ""),
        (Rule(source="pattern", pattern="{room}@{domain}"), {}, State.MISSING, ""),
    ],
)
def test_what_no_account_comes_of(rule: Rule, attributes: dict[str, list[str]], state: State, text: str) -> None:
    found = account_mapping.read(rule, attributes, User(user_id="anna"))

    assert (found.state, found.text) == (state, text)
    assert found.problem


def test_what_is_mapped_is_followed_until_a_device_is_enrolled_and_again_after(directory: Directory) -> None:
    anna = person(directory, "anna")
    assert followed(anna) == []
    assert standing(anna) == (State.FINE, f"anna@{OURS}")

    anna.attributes = {"mail": [f"adler@{OURS}"]}
    phone = enrolled(anna)
    (problem,) = followed(anna)
    assert "Devices are enrolled" in problem
    assert standing(anna) == (State.ENROLLED, f"anna@{OURS}")
    assert account_conflicts.settle() == 0

    Enrollment.objects.filter(pk=phone.pk).update(state=Enrollment.State.ENDED)
    assert account_conflicts.settle(directory=directory) == 1
    assert standing(anna) == (State.FINE, f"adler@{OURS}")
    assert AuditEntry.objects.get(action="user.account_changed").details == {
        "from": f"anna@{OURS}", "to": f"adler@{OURS}",
    }  # fmt: skip


def test_of_two_who_map_to_one_account_the_first_has_it_until_it_is_free(directory: Directory) -> None:
    anna, berta = person(directory, "anna", f"info@{OURS}"), person(directory, "berta", f"info@{OURS}")
    (problem,) = followed(anna, berta)
    assert "anna" in problem
    assert standing(berta) == (State.TAKEN, None)

    accounts.assign(anna.user, f"other@{OURS}", actor="root")
    assert standing(anna) == (State.KEPT, f"other@{OURS}")
    account_conflicts.settle()
    assert standing(berta) == (State.FINE, f"info@{OURS}")


def test_what_an_administrator_entered_stays_until_they_take_what_is_mapped(directory: Directory) -> None:
    anna = person(directory, "anna")
    followed(anna)
    accounts.assign(anna.user, f"own@{OURS}", actor="root")
    anna = account_conflicts.everything().get()
    followed(anna)
    assert standing(anna) == (State.KEPT, f"own@{OURS}")

    phone = enrolled(anna)
    assert [problem[:7] for _entry, problem in account_conflicts.adopt([anna], actor="root")] == ["Devices"]
    assert standing(anna)[1] == f"own@{OURS}"
    phone.delete()
    assert [problem for _entry, problem in account_conflicts.adopt([anna], actor="root")] == [""]
    assert standing(anna) == (State.FINE, f"anna@{OURS}")


def test_another_name_in_the_directory_is_a_warning(directory: Directory) -> None:
    anna = person(directory, "anna", upn=f"a.adler@{OURS}")
    assert followed(anna) == []
    assert standing(anna) == (State.DIFFERS, f"anna@{OURS}")

    accounts.assign(anna.user, f"a.adler@{OURS}", actor="root")
    assert standing(anna)[0] == State.KEPT


def test_an_account_that_leaves_the_enrollment_domains_is_told_and_kept(directory: Directory) -> None:
    anna = person(directory, "anna")
    followed(anna)
    settings_store.change("enrollment.domains", "new.example", actor="root")
    (problem,) = followed(anna)
    assert "new.example" in problem
    assert standing(anna) == (State.FOREIGN, f"anna@{OURS}")

    settings_store.change("enrollment.domains", f"new.example,{OURS}", actor="root")
    assert account_conflicts.settle() == 1
    assert standing(anna) == (State.FINE, f"anna@{OURS}")


def test_a_preview_changes_nothing_and_costs_as_much_for_many(directory: Directory) -> None:
    people = [person(directory, f"p{n}", managed_apple_account=f"p{n}@{OURS}") for n in range(40)]
    people.append(person(directory, "x", "p1@elsewhere.example"))
    enrolled(people[3])
    rule = Rule(source="pattern", pattern="{first_name}{user_id}.work@{domain}")
    User.objects.exclude(user_id="p5").update(first_name="n")

    def foretold(number: int) -> tuple[list[Outcome], int]:
        entries = list(account_conflicts.of_origin(directory)[:number])
        with CaptureQueriesContext(connection) as asked:
            return account_conflicts.foretold(directory, rule, entries), len(asked)

    foretold(1)  # the settings are read
    outcomes, queries = foretold(41)
    assert queries == foretold(2)[1] == 2
    assert [(each.wanted.user.user_id, each.state) for each in outcomes if each.state] == [("p3", State.ENROLLED)]
    assert outcomes[5].account == f"p5@{OURS}"  # there is nothing to make another of
    assert outcomes[-1].account == f"nx.work@{OURS}"
    assert outcomes[0].changes
    assert standing(people[0]) == (State.FINE, f"p0@{OURS}")


def test_two_of_different_parts_of_a_preview_are_held_against_each_other(directory: Directory) -> None:
    first, second = person(directory, "anna"), person(directory, "berta")
    rule = Rule(source="pattern", pattern="all@{domain}")
    given: dict[str, tuple[int, str]] = {}

    states = [account_conflicts.foretold(directory, rule, [each], given)[0].state for each in (first, second)]
    assert states == [State.FINE, State.TAKEN]


def test_looking_again_costs_by_what_is_in_conflict_and_writes_nothing_needless(directory: Directory) -> None:
    holder = factories.user("holder", managed_apple_account=f"info@{OURS}")
    crowd = [person(directory, f"p{n}", f"info@{OURS}") for n in range(30)]
    followed(*crowd)
    with CaptureQueriesContext(connection) as asked:
        account_conflicts.settle()
    assert not [each for each in asked.captured_queries if each["sql"].startswith(("UPDATE", "INSERT", "DELETE"))]
    assert len(asked) < 15

    holder.delete()
    assert account_conflicts.settle() == 1
    assert User.objects.filter(managed_apple_account=f"info@{OURS}").count() == 1


def test_a_provider_maps_by_claim_or_pattern() -> None:
    provider = IdentityProvider.objects.create(name="Login")
    user = User(user_id="anna")
    assert account_mapping.read(Rule.of(provider), {"account": [f"anna@{OURS}"]}, user) == Mapped()  # no claim is set
    provider.account_claim = "apple"
    assert account_mapping.read(Rule.of(provider), {"account": [f"anna@{OURS}"]}, user) == Mapped(f"anna@{OURS}")
    provider.account_source, provider.account_pattern = "pattern", "{user_id}.x@{domain}"
    assert account_mapping.read(Rule.of(provider), {}, user) == Mapped(f"anna.x@{OURS}")
