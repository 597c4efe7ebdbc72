"""What SQLite knows of the tables."""

import pytest
from django.db import connection

from epmm import tasks
from users.models import User

pytestmark = [pytest.mark.django_db, pytest.mark.service("sqlite")]


def test_the_worker_tells_sqlite_how_rows_are_spread() -> None:
    User.objects.bulk_create(User(user_id=f"user{number}", email=f"user{number}@x.test") for number in range(300))

    tasks.renew_statistics()
    with connection.cursor() as cursor:
        cursor.execute("SELECT stat FROM sqlite_stat1 WHERE idx = 'user_id_ignores_case'")
        assert cursor.fetchone() == ("300 1",)
