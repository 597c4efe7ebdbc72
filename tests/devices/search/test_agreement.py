"""PostgreSQL and SQLite each answer as plain Python does, so they answer alike."""
# ruff: noqa: RUF001 - letters of many scripts are the point

from datetime import UTC

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.models import Device
from devices.search.catalogue import FIELDS
from devices.search.compile import Moment, compiled
from devices.search.fields import Kind
from devices.search.language import parse
from devices.search.tree import All, AnyOf, Node, Not, Operator, Test, Word, write
from tests.devices.search import reference
from tests.devices.search.fleet import MODELS, NAMES, SERIALS, VERSIONS, fleet
from tests.devices.search.reference import NOW

pytestmark = pytest.mark.django_db
MOMENT = Moment(now=NOW, zone=UTC)
PIECES = ("%", "_", "\\", '"', "Ü", "ss", "ß", "müller", "STRASSE", "i̇", "σ", "ς", "李", "@", "anna", "corp", "-4")
OURS = ("germany", "TÜRKIYE", "united", "gb", "reachable", "Block", "level", "none")
SOME = {
    Kind.TEXT: (*NAMES, *SERIALS, *MODELS, *PIECES, *OURS, "Apple", "pda", "iOS 17.4", "MTP03LL/A", "10.0.0.7"),
    Kind.LIST: ("", "a", "PASSCODE", "no passcode is set", "not"),
    Kind.NUMBER: ("0", "3.5", "57", "-1", "50", "100", "1"),
    Kind.DATE: ("2026-11-22", "2026-11-16", "2026-11-21", "2026-11-22T12:00:00+00:00", "now-7d", "now-0d"),
    Kind.BOOLEAN: ("true", "FALSE", "False"),
    Kind.VERSION: tuple(version for version in VERSIONS if version and "beta" not in version),
}
TEXT = st.sampled_from(SOME[Kind.TEXT]) | st.text(st.sampled_from("aAäÄßİσ1%_\\ \"'"), max_size=3)
PARTS = {Operator.CONTAINS, Operator.LACKS, Operator.BEGINS}
KEYS = (
    *reference.TEXTS, *reference.NUMBERS, *reference.DATES, *reference.FLAGS, *reference.CHOICES, *reference.VERSIONS,
)  # fmt: skip


@st.composite
def comparisons(draw: st.DrawFn) -> Test:
    field = FIELDS[draw(st.sampled_from(KEYS))]
    operator = draw(st.sampled_from(field.operators))
    values = TEXT if field.kind == Kind.TEXT else st.sampled_from(SOME.get(field.kind, field.values))
    if field.kind == Kind.VERSION and operator in PARTS:
        values = st.sampled_from(("7.", "17", "BETA", "."))
    value = draw(values.filter(lambda text: field.key != "common.id" or "." not in text))
    return Test(field=field.key, operator=operator, value=value if operator.takes_value else "")


WORDS = TEXT.filter(lambda text: bool(text) and FIELDS.resolve(text) is None).map(Word)
TREES = st.recursive(
    comparisons() | comparisons() | comparisons() | WORDS,
    lambda nodes: (
        nodes.map(Not)
        | st.lists(nodes, min_size=2, max_size=3).map(lambda parts: All(tuple(parts)))
        | st.lists(nodes, min_size=2, max_size=3).map(lambda parts: AnyOf(tuple(parts)))
    ),
    max_leaves=5,
)


def test_the_database_answers_as_plain_python_does() -> None:
    devices = fleet()

    @settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(TREES)
    def agree(node: Node) -> None:
        again = parse(write(node), FIELDS)
        assert again == node
        assert answer(again) == reference.chosen(node, devices), write(node)

    agree()


@pytest.mark.parametrize("key", KEYS)
def test_each_value_with_each_operator(key: str) -> None:
    """Everything that chance may leave out; and a test and its opposite share the devices between them."""
    devices = fleet()
    field = FIELDS[key]
    values = SOME.get(field.kind, field.values)

    for operator in field.operators:
        pool = ("7.", "17", "BETA") if field.kind == Kind.VERSION and operator in PARTS else values
        for value in pool if operator.takes_value else ("",):
            if key == "common.id" and "." in value:
                continue
            test = Test(field=key, operator=operator, value=value)
            meant = reference.chosen(test, devices)
            assert answer(test) == meant, write(test)
            assert answer(Not(test)) == {device.pk for device in devices} - meant, write(test)


def answer(node: Node) -> set[int]:
    return set(Device.objects.filter(compiled(node, FIELDS, MOMENT)).values_list("pk", flat=True))
