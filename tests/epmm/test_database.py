"""What EPMM asks of PostgreSQL for each of its connections."""

import pytest
from django.db import connection


@pytest.mark.service("postgresql")
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("limit", "value"),
    [("idle_in_transaction_session_timeout", "1min"), ("tcp_keepalives_idle", "15"), ("tcp_user_timeout", "30000")],
)
def test_whoever_stands_still_in_a_transaction_or_is_gone_loses_it_within_a_minute(limit: str, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {limit}")
        assert cursor.fetchone() == (value,)
