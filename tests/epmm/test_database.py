"""What EPMM asks of PostgreSQL for each of its connections."""

import pytest
from django.db import connection


@pytest.mark.service("postgresql")
@pytest.mark.django_db
def test_whoever_stands_still_in_a_transaction_loses_it_after_a_minute() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("1min",)
