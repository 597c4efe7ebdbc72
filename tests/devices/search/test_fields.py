"""The registry: every field of the manual, each with what it takes."""

import re
from pathlib import Path

import pytest
from django.utils.translation import override

from devices.models import Device
from devices.search.catalogue import FIELDS
from devices.search.compile import compiled, here_and_now
from devices.search.fields import GROUP_LABELS, Field, Group, Kind
from devices.search.language import parse
from devices.search.sources import people_text
from devices.services import search
from tests.devices.services.rows import person

MANUAL = (Path(__file__).resolve().parents[3] / "docs" / "search.md").read_text()
EXAMPLES = re.search(r"```\n(.*?)```", MANUAL, re.DOTALL)
SAMPLES = {Kind.BOOLEAN: "true", Kind.DATE: "today"}


@pytest.mark.parametrize("expression", (EXAMPLES or [""])[0].splitlines()[1:-1])
def test_the_examples_of_the_manual(expression: str) -> None:
    search.understand(expression)


@pytest.mark.parametrize("field", FIELDS.fields, ids=lambda field: field.key)
def test_each_field_is_in_the_manual_under_its_name(field: Field) -> None:
    assert f"| `{field.key}` | {field.label} | {field.kind}" in MANUAL
    assert field.group in GROUP_LABELS


def test_names_are_each_ones_own() -> None:
    names = [name.lower() for field in FIELDS.fields for name in (field.key, *field.aliases)]

    assert len(names) == len(set(names)) > 100


def test_labels_are_translated() -> None:
    with override("de"):
        assert str(FIELDS["common.SerialNumber"].label) == "Seriennummer"
        with pytest.raises(search.SearchRefused, match="Unbekanntes Feld"):
            search.understand("serialnumbr = x")


def test_what_a_location_is_cannot_be_searched_for() -> None:
    """It is returned on request only."""
    assert FIELDS.resolve("common.location") is None


@pytest.mark.django_db
def test_an_installation_adds_fields_of_its_own() -> None:
    found = Device.objects.create(user=person(), device_name="Hall 7")
    room = Field(
        key="custom.device.Room 1", label="Room", kind=Kind.TEXT, group=Group.CUSTOM, source=people_text("name_folded")
    )
    fields = FIELDS.extended([room])

    node = parse("custom.device.room 1 contains HALL", fields)

    assert list(Device.objects.filter(compiled(node, fields, here_and_now())).values_list("pk", flat=True)) == [
        found.pk
    ]
    assert FIELDS.resolve(room.key) is None


@pytest.mark.django_db
@pytest.mark.parametrize("field", FIELDS.fields, ids=lambda field: field.key)
def test_each_operator_of_each_field_reaches_the_database(field: Field) -> None:
    Device.objects.create(user=person())
    value = (field.values or (SAMPLES.get(field.kind, "1"),))[0]

    for operator in field.operators:
        written = f'"{field.key}" {operator.written} ' + (f'"{value}"' if operator.takes_value else "")
        assert search.count(written).number + search.count(f"NOT {written}").number == 1
