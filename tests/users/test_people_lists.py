"""People found by what somebody typed."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from epmm import indexed, statistics
from tests import factories
from users.models import User
from users.services.people_lists import find

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("MIA", {"mia", "other"}),
        ("öz", {"mia"}),
        ("Mia.Ö", set()),
        ("mia.oezil@c", {"mia"}),
        ("account@", {"mia"}),
        ("the one and", {"other"}),
        ("x_", {"x_y"}),
        ("%", set()),
        ("il", set()),
    ],
)
def test_by_how_any_of_their_names_begins_in_any_case(typed: str, found: set[str]) -> None:
    factories.user(
        "mia", last_name="Özil", email="Mia.Oezil@corp.example", managed_apple_account="account@corp.example"
    )
    factories.user("other", first_name="Mia", full_name="The One and Only")
    factories.user("x_y")
    factories.user("xay")

    assert set(find(User.objects.all(), typed).values_list("user_id", flat=True)) == found


@pytest.mark.parametrize("few", [1, 500])
def test_few_or_many_they_are_the_same(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(indexed, "FEW", few)
    for name in ("b", "a", "c"):
        factories.user(f"user-{name}", first_name="User")
    factories.user("other")

    found = find(User.objects.order_by("user_id"), "user")
    assert list(found.values_list("user_id", flat=True)) == ["user-a", "user-b", "user-c"]
    assert found.order_by().count() == 3


def test_nobody_is_looked_for_by_reading_everybody() -> None:
    _many()
    for people, text in ((User.objects.all(), "user77"), (User.objects.order_by("user_id"), "nobody at all")):
        with CaptureQueriesContext(connection) as asked:
            list(find(people, text))
        plans = "".join(map(_plan, asked.captured_queries))
        assert "user_last_name" in plans
        assert "Seq Scan on users_user" not in plans
        assert "SCAN users_user" not in plans


@pytest.mark.service("sqlite")
def test_a_page_of_many_is_read_in_its_order_and_their_number_from_the_indexes() -> None:
    _many()
    found = find(User.objects.all(), "user")

    page = found.order_by("email", "pk").explain()
    assert "user_email_order" in page
    assert "TEMP B-TREE" not in page
    assert "MULTI-INDEX OR" in found.values("pk").explain()


def _plan(asked: dict[str, str]) -> str:
    with connection.cursor() as cursor:
        explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
        cursor.execute(f"{explain} {asked['sql']}")
        return str(cursor.fetchall())


def _many() -> None:
    User.objects.bulk_create(User(user_id=f"user{number}", last_name_folded=f"name {number}") for number in range(3000))
    statistics.renew()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE users_user")
