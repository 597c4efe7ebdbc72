"""People found by what somebody typed."""

import pytest
from django.db import connection

from epmm import statistics
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


def test_nobody_is_looked_for_by_reading_everybody() -> None:
    User.objects.bulk_create(User(user_id=f"user{number}", last_name_folded=f"name {number}") for number in range(3000))
    statistics.renew()
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE users_user")

    for rows in (find(User.objects.all(), "user77"), find(User.objects.order_by("user_id"), "nobody at all")):
        plan = rows.explain()
        assert "user_last_name" in plan
        assert "Seq Scan on users_user" not in plan
        assert "SCAN users_user" not in plan
