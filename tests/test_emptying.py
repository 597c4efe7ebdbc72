"""A test that committed leaves nothing to those after it."""

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from tests import emptying
from tests.devices.services.rows import enrolled
from users.models import AdminGrant, User
from users.services import people


def rows(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        (number,) = cursor.fetchone()
    return int(number)


@pytest.mark.django_db(transaction=True)
def test_no_row_is_left_but_what_migrations_would_make_again() -> None:
    enrolled()
    AdminGrant.objects.create(user=User.objects.create(user_id="an administrator"), key="device.view")
    kinds = set(ContentType.objects.values_list("pk"))
    assert kinds

    emptying.empty()

    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed}
    assert {table for table in tables if rows(table)} == emptying.STAY
    assert set(ContentType.objects.values_list("pk")) == kinds


@pytest.mark.service("sqlite")
@pytest.mark.django_db(transaction=True)
def test_the_planner_knows_nothing_of_rows_that_are_gone() -> None:
    def plan() -> str:
        return people._candidates("alice@mdm.example.test", "alice").explain()

    User.objects.create(user_id="anna", email="a@corp.example.test", managed_apple_account="a@mdm.example.test")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    assert "SCAN" in plan()

    emptying.empty()

    assert "SCAN" not in plan()
