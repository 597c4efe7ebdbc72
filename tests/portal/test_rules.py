"""Settings > Enrollment rules, and what a person's page foretells."""

from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from enrollment.models import LocalText, Rule
from enrollment.services import ruling
from enrollment.services.ruling import Written
from epmm import settings_store
from epmm.models import AuditEntry
from tests import factories
from tests.portal.conftest import SignedIn
from users.models import Directory, Group, Membership, Role, User

HERE = "/admin/settings/rules"
MOST_QUERIES, MOST_BYTES = 12, 60_000


def groups(*names: str) -> list[Group]:
    directory = Directory.objects.create(name="Corp")
    return [Group.objects.create(directory=directory, external_id=name, name=name) for name in names]


def person(*of: Group) -> User:
    user = factories.user("anna", roles=(Role.ADDE,), managed_apple_account="anna@mdm.example.test")
    Membership.objects.bulk_create([Membership(group=group, user=user) for group in of])
    return user


def names(client: Client) -> list[str]:
    return [name for _rule, name, _people, _said in client.get(HERE).context["rules"]]


def send(client: Client, what: str, **values: Any) -> Any:
    return client.post(f"{HERE}/{what}", {"go": "1", **values})


def test_a_rule_is_written_put_in_order_and_deleted(signed_in: SignedIn) -> None:
    client = signed_in()
    sales, board = groups("Sales", "Board")
    person(sales, board)

    assert (
        send(client, "edit", audience=sales.pk, device_limit=2, kinds=["adde"], system_iPad="18.1").status_code == 204
    )
    assert send(client, "edit", audience="local", families=["iPhone", "Mac"]).status_code == 204
    assert send(client, "edit", audience=board.pk, owner="COMPANY", terms="Be *good*.").status_code == 204
    assert names(client) == ["Sales (Corp)", "Local people", "Board (Corp)"]
    page = client.get(HERE).content.decode()
    for said in ("Device limit: 2", "Oldest allowed system: iPad 18.1", "Kinds of device: iPhone, Mac", "own text"):
        assert said in page

    last = Rule.objects.get(group=board)
    send(client, "move?to=up", number=last.pk)
    send(client, "move?to=up", number=last.pk)
    send(client, "move?to=up", number=last.pk)
    assert names(client) == ["Board (Corp)", "Sales (Corp)", "Local people"]

    first = Rule.objects.get(group=sales)
    touched = send(client, "touched", number=first.pk, audience=sales.pk, device_limit=0).content.decode()
    assert "touches: 1." in touched
    assert "speaks first: 1." in touched
    assert send(client, "edit", number=first.pk, audience=sales.pk, device_limit=3).status_code == 204
    first.refresh_from_db()
    assert (first.device_limit, first.kinds, first.minimum_os) == (3, "", "")
    send(client, "delete", number=last.pk)
    assert names(client) == ["Sales (Corp)", "Local people"]
    actions = AuditEntry.objects.filter(subject_type="rule", actor="admin").values_list("action", flat=True)
    assert {*actions} == {"rule.saved", "rule.moved", "rule.deleted"}


def test_terms_with_a_name_are_written_in_a_language_and_named_by_a_rule(signed_in: SignedIn) -> None:
    client = signed_in()
    (sales,) = groups("Sales")
    anna = person(sales)
    texts = "/admin/settings/texts"
    text = {"go": "1", "kind": "terms", "name": "Staff", "language": "de", "content": "Seien Sie gut."}

    assert client.post(f"{texts}/edit", text).status_code == 204
    assert "<td>Staff</td>" in client.get(texts).content.decode()
    assert 'name="name"' not in client.get(f"{texts}/edit?kind=privacy").content.decode()
    assert send(client, "edit", audience=sales.pk, terms_name="Staff").status_code == 204
    assert "Terms: Staff" in client.get(HERE).content.decode()
    assert "Staff" in client.get(f"/admin/users/{anna.pk}/prospect", {"family": "iPad"}).content.decode()
    refused = client.post(f"{texts}/delete", {"number": LocalText.objects.get().pk}, follow=True).content.decode()
    assert "names these terms" in refused
    saved = AuditEntry.objects.get(action="rule.saved")
    assert saved.details["terms_name"] == {"from": None, "to": "Staff"}


def test_what_is_wrong_is_said_in_the_dialog_and_changes_nothing(signed_in: SignedIn) -> None:
    client = signed_in()
    (sales,) = groups("Sales")
    wrong: list[dict[str, Any]] = [
        {},
        {"device_limit": "51"},
        {"system_Mac": "new"},
        {"terms": "[x](javascript:y)"},
        {"kinds": ["web"]},
        {"audience": "999999", "device_limit": "1"},
    ]

    for values in wrong:
        answer = send(client, "edit", **{"audience": sales.pk, **values})
        assert answer.status_code == 422, values
        assert b"error" in answer.content
    assert not Rule.objects.exists()


def test_the_precedence_of_device_limits_is_set_on_the_same_page(signed_in: SignedIn) -> None:
    client = signed_in()
    values = {"registration.limit_precedence": "person", "registration.several_limits": "highest"}
    values |= {
        f"initial-{name}": value
        for name, value in (("registration.limit_precedence", "group"), ("registration.several_limits", "highest"))
    }

    assert client.post(HERE, values).status_code == 302
    assert AuditEntry.objects.get(action="setting.changed").subject == "registration.limit_precedence"


def test_a_page_of_many_rules_stays_within_its_budget(signed_in: SignedIn) -> None:
    client = signed_in()
    for group in groups(*(f"Group {n:03}" for n in range(60))):
        ruling.save(Written(group=group, device_limit=1, families=["iPad", "Mac"], terms="x" * 5000), actor="root")
    client.get(HERE)

    with CaptureQueriesContext(connection) as queries:
        answer = client.get(HERE)
    assert len(queries) <= MOST_QUERIES
    assert len(answer.content) <= MOST_BYTES
    following = client.get(f"{HERE}?after={answer.context['page'].after}")
    assert next(name for _rule, name, _people, _said in following.context["rules"]) == "Group 020 (Corp)"


def test_a_persons_page_foretells_an_enrollment_and_names_whose_rule_it_was(signed_in: SignedIn) -> None:
    client = signed_in()
    settings_store.change("ios.mdm.account_driven_device_enrollment", "on", actor="test")
    settings_store.change("enrollment.domains", "mdm.example.test", actor="test")
    sales, board = groups("Sales", "Board")
    user = person(sales, board)
    ruling.save(Written(group=sales, families=["Mac"]), actor="root")
    ruling.save(Written(group=board, families=["iPad"], device_limit=4), actor="root")
    there = f"/admin/users/{user.pk}/prospect"

    assert there in client.get(f"/admin/users/{user.pk}").content.decode()
    with CaptureQueriesContext(connection) as queries:
        refused = client.get(there, {"family": "iPad"}).content.decode()
    assert len(queries) <= MOST_QUERIES
    assert "E-307" in refused
    assert "Said by: Sales (Corp)" in refused
    assert "not: Board (Corp)" in refused
    fine = client.get(there, {"family": "Mac", "os_version": "15.1"}).content.decode()
    assert "The Mac enrolls" in fine
    assert "E-3" not in fine
    assert "Enter versions" in client.get(there, {"family": "Mac", "os_version": "new"}).content.decode()


def test_that_a_rule_goes_with_its_group_is_said_before(signed_in: SignedIn) -> None:
    client = signed_in()
    (sales,) = groups("Sales")
    ruling.save(Written(group=sales, device_limit=4), actor="root")

    dialog = client.get(f"/admin/services/ldap/{sales.directory_id}/delete").content.decode()
    assert "So are the enrollment rules for Sales" in dialog
