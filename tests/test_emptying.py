"""A test that committed leaves nothing to those after it."""

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection

from tests import emptying
from tests.devices.services.rows import enrolled
from users.models import AdminGrant, User


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
