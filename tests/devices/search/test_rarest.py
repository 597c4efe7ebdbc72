"""The trigram index is asked for parts of a text, which find devices for the least; what is found has it all."""

import pytest
from django.db import connection

from devices.models import Device
from devices.search import rarest
from devices.services import search
from tests.devices.services.rows import person

pytestmark = [pytest.mark.django_db, pytest.mark.service("postgresql")]


@pytest.fixture
def many() -> None:
    owner = person()
    Device.objects.bulk_create(
        Device(user=owner, status=Device.Status.ACTIVE, device_name=f"iPhone of person{n:03} team{n % 7} {n % 50:02}")
        for n in range(200)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE devices_device")


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("iphone of person117", ["117"]),
        ("iphone 117 of 117", ["117", "117"]),
        ("person11", ["n11"]),  # whoever is of `n11` is of `on1`
        ("person11 team3", ["n11", "am3"]),  # one in seven of these is of `am3`
        ("müllerson", ["müller"]),  # as far as nobody has it
        ("mülperson117", ["mülpe", "117"]),
        ("iphone of 07", [" 07"]),  # two letters or digits that are a word have a list, too
        ("iphone", ["iph"]),  # everybody has all of it
        ("of", ["of"]),
    ],
)
def test_the_index_is_asked_for_what_finds_for_the_least(text: str, parts: list[str]) -> None:
    assert rarest.parts(connection, text) == parts


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("expression", ['"{text}"', 'ios.DeviceName contains "{text}"'])
@pytest.mark.parametrize(
    ("text", "found"), [("person117", 1), ("parson117", 0), ("person11", 10), ("of person", 200), (" 07", 4)]
)
def test_what_is_found_has_the_whole_text(expression: str, text: str, found: int) -> None:
    assert search.count(expression.format(text=text)).number == found


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(("text", "times"), [("parson117", 2), ("person117", 1), ("iphone", 1)])
def test_what_hardly_any_device_holds_is_said_twice_for_a_page(text: str, times: int) -> None:
    """PostgreSQL would guess that one in a hundred has it, if one of the hundred texts does that it has sampled."""
    found = search.matching(f'ios.DeviceName contains "{text}"')
    page = found.order_by("-last_seen_at")

    assert str(page.query).count("LIKE") == times
    assert str(found.query).count("LIKE") == 1
    assert page.count() == found.count()


@pytest.mark.usefixtures("many")
def test_devices_are_looked_at_once_an_hour() -> None:
    assert rarest.parts(connection, "person117") == ["117"]
    Device.objects.all().delete()

    assert rarest.parts(connection, "person117") == ["117"]
    rarest.forget()
    assert rarest.parts(connection, "person117") == ["person117"]
