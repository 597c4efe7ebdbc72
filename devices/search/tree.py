"""An expression as a tree, and the tree as text.  No Django."""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Operator(StrEnum):
    EQUALS = "="
    DIFFERS = "!="
    GREATER = ">"
    AT_LEAST = ">="
    LESS = "<"
    AT_MOST = "<="
    CONTAINS = "contains"
    LACKS = "does not contain"
    BEGINS = "starts with"
    IS_EMPTY = "is empty"
    IS_NOT_EMPTY = "is not empty"

    @property
    def takes_value(self) -> bool:
        return self not in {Operator.IS_EMPTY, Operator.IS_NOT_EMPTY}

    @property
    def written(self) -> str:
        return f'"{self}"' if self[0].isalpha() else str(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """One field against one value.  The places are characters counted from 1, and no part of what is meant."""

    __test__ = False  # pytest would collect it

    field: str
    operator: Operator
    value: str = ""
    at: int = dataclasses.field(default=1, compare=False)
    operator_at: int = dataclasses.field(default=1, compare=False)
    value_at: int = dataclasses.field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Word:
    """Looked for in whatever names a device or its user."""

    text: str


@dataclass(frozen=True, slots=True)
class Not:
    part: "Node"


@dataclass(frozen=True, slots=True)
class All:
    """The one without parts is true for every device: the empty expression."""

    parts: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple["Node", ...]


Node: TypeAlias = Test | Word | Not | All | AnyOf
EVERYTHING = All()


def write(node: Node) -> str:
    """The canonical text: it reads back as the same tree."""
    match node:
        case Test(field=name, operator=operator, value=value):
            return f"{quoted(name)} {operator.written}" + (f" {quoted(value)}" if operator.takes_value else "")
        case Word(text=text):
            return quoted(text)
        case Not(part=part):
            return f"NOT {_inside(part)}"
        case All(parts=parts):
            return " AND ".join(map(_inside, parts))
        case AnyOf(parts=parts):
            return " OR ".join(map(_inside, parts))


def named(node: Node) -> frozenset[str]:
    """The keys of the fields that it asks for."""
    match node:
        case Test(field=name):
            return frozenset({name})
        case Not(part=part):
            return named(part)
        case All(parts=parts) | AnyOf(parts=parts):
            return frozenset().union(*map(named, parts))
    return frozenset()


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _inside(node: Node) -> str:
    return f"({write(node)})" if isinstance(node, All | AnyOf) else write(node)
