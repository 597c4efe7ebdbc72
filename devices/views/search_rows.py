"""The rows of the search as a form sends them, and as it shows them."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from devices.models import Device
from devices.search.fields import GROUP_LABELS, Field, Group, Kind, Registry
from devices.search.rows import MOST, UNFINISHED, Match, Row, Rows
from devices.search.sources import Nowhere
from devices.search.tree import Operator
from users.models import User

Text = str | Promise
LONGEST_VALUE: Final = 1000
OPERATORS: Final[dict[Operator, Text]] = {
    Operator.EQUALS: _("Equals"),
    Operator.DIFFERS: _("Does not equal"),
    Operator.GREATER: _("Greater than"),
    Operator.AT_LEAST: _("Greater than or equal to"),
    Operator.LESS: _("Less than"),
    Operator.AT_MOST: _("Less than or equal to"),
    Operator.CONTAINS: _("Contains"),
    Operator.LACKS: _("Does not contain"),
    Operator.BEGINS: _("Starts with"),
    Operator.IS_EMPTY: _("Is empty"),
    Operator.IS_NOT_EMPTY: _("Is not empty"),
}
OF_DATES: Final[dict[Operator, Text]] = {
    Operator.GREATER: _("After"),
    Operator.AT_LEAST: _("On or after"),
    Operator.LESS: _("Before"),
    Operator.AT_MOST: _("On or before"),
}
# The language takes more of each; what an expression says all the same is offered where it is said.
OFFERED: Final = {
    Kind.BOOLEAN: (Operator.EQUALS,),
    Kind.ENUMERATION: (Operator.EQUALS, Operator.DIFFERS),
    Kind.LIST: (Operator.CONTAINS, Operator.LACKS, Operator.IS_EMPTY, Operator.IS_NOT_EMPTY),
    Kind.TEXT: (
        Operator.EQUALS, Operator.DIFFERS, Operator.CONTAINS, Operator.LACKS, Operator.BEGINS,
        Operator.IS_EMPTY, Operator.IS_NOT_EMPTY,
    ),
}  # fmt: skip
FLAGS: Final = ("true", "false")
VALUES: Final[Mapping[str, Mapping[str, Text]]] = {
    "common.status": dict(Device.Status.choices),
    "common.owner": dict(Device.Owner.choices),
    "ios.enrollment_type": dict(Device.EnrollmentType.choices),
    "user.source": dict(User.Source.choices),
}
HOW: Final[Mapping[str, Text]] = {
    "day": _("Date"),
    "h": _("hours ago"),
    "d": _("days ago"),
    "w": _("weeks ago"),
    "text": _("As written"),
}
LONG_AGO: Final = "7"
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_AGO: Final = re.compile(r"now-(\d{1,6})([hdw])", re.ASCII | re.IGNORECASE)


# --- As a form sends them ---------------------------------------------------------------------------------------------


def posted(given: QueryDict, registry: Registry) -> Rows:
    """`row` names each row in order, and what it says stands under its name; `1-0` is the first of the group `1`."""
    names = given.getlist("row")[: 2 * MOST]
    top = tuple(_part(given, name, names, registry) for name in names if "-" not in name)
    return Rows(_match(given, "match"), top)


def _part(given: QueryDict, name: str, names: list[str], registry: Registry) -> Row | Rows:
    match = f"match-{name}"
    if match not in given:
        return _row(given, name, registry)
    inner = tuple(_row(given, each, registry) for each in names if each.startswith(f"{name}-"))
    return Rows(_match(given, match), inner)


def _match(given: QueryDict, key: str) -> Match:
    return "any" if given.get(key) == "any" else "all"


def _row(given: QueryDict, name: str, registry: Registry) -> Row:
    key = registry.resolve(given.get(f"field-{name}", ""))
    if key is None:
        return Row("", Operator.EQUALS)
    field = registry[key]
    operator = _operator(given.get(f"operator-{name}", ""), field)
    value = given.get(f"value-{name}", "")[:LONGEST_VALUE]
    if not operator.takes_value:
        return Row(key, operator)
    return Row(key, operator, _value(field, value, given.get(f"how-{name}", "")))


def _operator(text: str, field: Field) -> Operator:
    """Of a field that has just been chosen the operator is still that of the one before."""
    return next((each for each in field.operators if each == text), _offered(field)[0])


def _value(field: Field, value: str, how: str) -> str:
    match field.kind:
        case Kind.BOOLEAN:
            return value if value in FLAGS else FLAGS[0]
        case Kind.ENUMERATION:
            return field.value(value) or (value if field.is_open and value else field.values[0])
        case Kind.DATE:
            return _date(value, how)
    return value


def _date(value: str, how: str) -> str:
    if how == "text" or how not in HOW:
        return value
    if how == "day":
        return value if _DAY.fullmatch(value) else ""
    number = value if not value or (value.isascii() and value.isdecimal()) else LONG_AGO
    return f"now-{number[:6]}{how}" if number else f"now-{how}"


def _offered(field: Field) -> tuple[Operator, ...]:
    return OFFERED.get(field.kind, field.operators)


# --- As it shows them -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A row; templates ask it for what stands in its controls."""

    name: str
    row: Row
    field: Field | None
    is_new: bool = False

    @property
    def operators(self) -> list[tuple[Operator, Text]]:
        if self.field is None:
            return []
        offered = _offered(self.field)
        words = OPERATORS | OF_DATES if self.field.kind == Kind.DATE else OPERATORS
        return [(each, words[each]) for each in self.field.operators if each in offered or each == self.row.operator]

    @property
    def control(self) -> str:
        """Which kind of control its value has; none where there is no value."""
        if self.field is None or not self.row.operator.takes_value:
            return ""
        return {Kind.BOOLEAN: "choice", Kind.ENUMERATION: "choice", Kind.DATE: "date", Kind.NUMBER: "number"}.get(
            self.field.kind, "text"
        )

    @property
    def choices(self) -> list[tuple[str, Text]]:
        if self.field is None:
            return []
        labels = VALUES.get(self.field.key, {})
        known = FLAGS if self.field.kind == Kind.BOOLEAN else self.field.values
        values = known if self.value in known else (*known, self.value)
        return [(value, labels.get(value, value)) for value in values]

    @cached_property
    def value(self) -> str:
        """As its control has it."""
        if self.field is not None and self.field.kind == Kind.ENUMERATION:
            return self.field.value(self.row.value) or self.row.value
        if self.field is not None and self.field.kind == Kind.BOOLEAN:
            return self.row.value.strip().lower()
        if self.control == "date" and self.how in ("h", "d", "w"):
            return self.row.value[len("now-") : -1]
        return self.row.value

    @property
    def how(self) -> str:
        """In which way a date is told."""
        value = self.row.value
        if not value or _DAY.fullmatch(value):
            return "day"
        is_ago = _AGO.fullmatch(value) or (UNFINISHED.fullmatch(value) and value[-1] in HOW)
        return value[-1].lower() if is_ago else "text"

    @property
    def ways(self) -> list[tuple[str, Text]]:
        return [(how, text) for how, text in HOW.items() if how != "text" or self.how == "text"]


@dataclass(frozen=True)
class GroupOfLines:
    name: str
    match: Match
    lines: list[Line]


def lines(rows: Rows, registry: Registry, new: str = "") -> list[Line | GroupOfLines]:
    """`new`: the name of the row that has just been added."""
    return [_line(str(number), row, registry, new) for number, row in enumerate(rows.rows)]


def _line(name: str, row: Row | Rows, registry: Registry, new: str) -> Line | GroupOfLines:
    if isinstance(row, Row):
        return _single(name, row, registry, new)
    inner = [
        _single(f"{name}-{number}", each, registry, new)
        for number, each in enumerate(row.rows)
        if isinstance(each, Row)
    ]
    return GroupOfLines(name, row.match, inner)


def _single(name: str, row: Row, registry: Registry, new: str) -> Line:
    return Line(name, row, registry[row.field] if row.field else None, is_new=name == new)


def find(shown: list[Line | GroupOfLines], name: str) -> Line | None:
    singles = (line for part in shown for line in (part.lines if isinstance(part, GroupOfLines) else [part]))
    return next((line for line in singles if line.name == name), None)


def fields(registry: Registry) -> Iterator[tuple[Text, list[tuple[str, Text, bool]]]]:
    """By group: key, label, and whether any device has it."""
    for group in Group:
        found = sorted((field for field in registry.fields if field.group == group), key=lambda each: str(each.label))
        if found:
            yield GROUP_LABELS[group], [(each.key, each.label, not _is_unset(each)) for each in found]


def version(registry: Registry) -> str:
    """Of what is chosen from, as this reader sees it."""
    shown = [
        [str(group), [(key, str(label), is_known) for key, label, is_known in keys]] for group, keys in fields(registry)
    ]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]


def _is_unset(field: Field) -> bool:
    return isinstance(field.source, Nowhere)


def context(rows: Rows, registry: Registry, new: str = "") -> dict[str, Any]:
    return {"match": rows.match, "lines": lines(rows, registry, new)}
