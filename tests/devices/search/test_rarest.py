"""What the trigram index is asked for is the part of a text that fewest hold; what is found is the whole text."""

import pytest
from django.db import connection

from devices.models import Device
from devices.search import rarest
from devices.services import search
from tests.devices.services.rows import person

pytestmark = [pytest.mark.django_db, pytest.mark.service("postgresql")]


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rarest, "_samples", {})
    owner = person()
    Device.objects.bulk_create(
        Device(user=owner, status=Device.Status.ACTIVE, device_name=f"iPhone of person{number:03}")
        for number in range(200)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE devices_device")


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("iphone of person117", "117"),
        ("person1", "on1"),
        ("müllerson", "müller"),  # as far as nobody has it
        ("iphone", "iphone"),  # everybody has all of it
        ("of", "of"),
    ],
)
def test_the_index_is_asked_for_what_fewest_have(text: str, part: str) -> None:
    assert rarest.part(connection, text) == part


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("expression", ['"{text}"', 'ios.DeviceName contains "{text}"'])
@pytest.mark.parametrize(("text", "found"), [("person117", 1), ("parson117", 0), ("person11", 10), ("of person", 200)])
def test_what_is_found_has_the_whole_text(expression: str, text: str, found: int) -> None:
    assert search.count(expression.format(text=text)).number == found


@pytest.mark.usefixtures("many")
def test_devices_are_looked_at_once_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rarest.part(connection, "person117") == "117"
    Device.objects.all().delete()

    assert rarest.part(connection, "person117") == "117"
    monkeypatch.setattr(rarest, "_samples", {})
    assert rarest.part(connection, "person117") == "person117"
