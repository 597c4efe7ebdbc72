"""What hardly any device has is found by an index: labels ask for it, and often nobody has it at all."""

import pytest
from django.db import connection

from devices.models import Device
from devices.services import search
from tests import emptying
from tests.devices.search.finding import find
from tests.devices.services.rows import person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_statistics")]

SIGNED_OUT = '"common.retired_reason" = "user removed management"'


@pytest.fixture
def no_statistics(db: None) -> None:
    emptying.forget_statistics()


@pytest.mark.service("sqlite")
@pytest.mark.parametrize(
    ("expression", "index"),
    [
        (SIGNED_OUT, "USING INDEX device_retired_reason"),
        ('"ios.enrollment_failed_at" = "today"', "INDEX device_failed"),
        ('"common.owner" = "EMPLOYEE" AND "common.retired" = "false"', "COVERING INDEX device_kinds_owned"),
        ('"common.platform" = "macOS" AND "common.retired" = "false"', "INDEX device_systems"),
        ('"ios.account_driven_user_enrolled" = "true"', "COVERING INDEX device_kinds_owned"),
        ('"common.ip_address" = "10.0.0.7"', "INDEX device_ip_address"),
        ('"common.home_country_code" = "li"', "INDEX device_home_seen"),
        ('"common.current_country_name" = "Liechtenstein"', "INDEX device_current_seen"),
    ],
)
def test_no_walk_through_all_devices(expression: str, index: str) -> None:
    found = search.matching(expression, exclude_retired=False).values("pk")
    assert index in found.explain()


@pytest.mark.service("postgresql")
def test_postgresql_knows_how_many_there_are() -> None:
    """Of an expression it has figures where an index is over it, else it guesses."""
    with connection.cursor() as cursor:
        cursor.execute("SET enable_seqscan = off")
        assert "device_retired_reason" in search.matching(SIGNED_OUT, exclude_retired=False).explain()
        cursor.execute("SET enable_seqscan = on")


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        (SIGNED_OUT, ["out"]),
        ('"common.retired_reason" != "user removed management"', ["in", "other"]),
        ('NOT "common.retired_reason" = "user removed management"', ["in", "other"]),
        ('"common.retired_reason" "contains" "REMOVED"', ["other", "out"]),
        ('"common.retired_reason" = ""', []),
        ('"common.retired_reason" "is empty"', ["in"]),
        ('"common.retired_reason" "is not empty"', ["other", "out"]),
    ],
)
def test_the_reason_is_found_as_any_text_is(expression: str, found: list[str]) -> None:
    for name, reason in (("in", ""), ("out", "user removed management"), ("other", "Removed by hand")):
        Device.objects.create(user=person(), status="ACTIVE", device_name=name, retired_reason=reason)

    assert sorted(device.device_name for device in find(expression).rows) == found
