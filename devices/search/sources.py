"""Where a field lives, and how one test of it is asked of the database.

A database knows three truth values, the language two.  So each source says for itself which rows a test matches and
which it misses; together they are all rows, whatever is unset.
"""
# ruff: noqa: ARG002 - some sources need not know what is asked

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce
from math import inf
from operator import or_
from typing import Any, Final, TypeAlias
from uuid import UUID

from django.db.models import F, Q
from django.db.models.lookups import In

from devices.search.sql import (
    EVERYTHING,
    NOTHING,
    AsciiLower,
    BesideIndex,
    UuidText,
    begins,
    compared,
    holds,
    is_text,
    may_hold,
)
from devices.search.tree import Operator
from devices.search.values import Period
from epmm.folding import fold
from epmm.indexed import IsBelow, IsSet

# A field's value as its kind reads it.
Value: TypeAlias = str | float | bool | Period | None
_LOOKUPS: Final = {
    Operator.GREATER: "gt",
    Operator.AT_LEAST: "gte",
    Operator.LESS: "lt",
    Operator.AT_MOST: "lte",
    Operator.EQUALS: "exact",
}
_RECENT: Final = {Operator.GREATER: ">", Operator.AT_LEAST: ">="}
_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
# What pg_trgm finds a text by, wherever it stands: three letters or digits together, or how a word begins.
_TRIGRAM: Final = re.compile(r"[^\W_]{3}|[\W_][^\W_]")


class Source(ABC):
    @abstractmethod
    def matches(self, operator: Operator, value: Value) -> Q:
        """The operator is a positive one: `compile.py` turns the others round."""

    @abstractmethod
    def misses(self, operator: Operator, value: Value) -> Q: ...


@dataclass(frozen=True, slots=True)
class Nowhere(Source):
    """Known, and unset for every device."""

    def matches(self, operator: Operator, value: Value) -> Q:
        return NOTHING

    def misses(self, operator: Operator, value: Value) -> Q:
        return EVERYTHING


@dataclass(frozen=True, slots=True)
class Always(Source):
    """The same for every device."""

    text: str

    def matches(self, operator: Operator, value: Value) -> Q:
        return EVERYTHING if _is_true(self.text, operator, value) else NOTHING

    def misses(self, operator: Operator, value: Value) -> Q:
        return ~self.matches(operator, value)


@dataclass(frozen=True, slots=True)
class Named(Source):
    """A code that people know by a name; without one it is unset.

    `has_index`: one of those that have any; with some codes it leads to few.
    """

    column: str
    names: Mapping[Any, str]
    has_index: bool = False

    def matches(self, operator: Operator, value: Value) -> Q:
        codes = [code for code, name in self.names.items() if _is_true(name, operator, value)]
        if self.has_index:
            return Q(IsSet(F(self.column)), In(BesideIndex(self.column), codes))
        return Q((f"{self.column}__in", codes))

    def misses(self, operator: Operator, value: Value) -> Q:
        return ~self.matches(operator, value)


@dataclass(frozen=True, slots=True)
class Worded(Source):
    """Words, and for which rows each is true: for none, for one, or for several of a list."""

    words: Mapping[str, Q]

    def matches(self, operator: Operator, value: Value) -> Q:
        return reduce(or_, (true for word, true in self.words.items() if _is_true(word, operator, value)), NOTHING)

    def misses(self, operator: Operator, value: Value) -> Q:
        return ~self.matches(operator, value)


def _is_true(text: str, operator: Operator, value: Value) -> bool:
    own, other = fold(text), fold(str(value))
    match operator:
        case Operator.EQUALS:
            return own == other
        case Operator.CONTAINS:
            return other in own
        case Operator.BEGINS:
            return own.startswith(other)
    return operator == Operator.IS_NOT_EMPTY


@dataclass(frozen=True, slots=True)
class Text(Source):
    """A column, or what is made of columns; never null, empty where it is unset.

    `indexed`: it stands in `Device.search_text`, whose index leads to the rows that come into question.  Where many
    rows have the same text, that helps to find a part of it alone; where few have, it is `identifying`.
    `sparse`: the column, where few devices have any, and an index holds those alone.
    """

    expression: Any
    normalize: Callable[[str], str] = fold
    indexed: bool = False
    identifying: bool = False
    sparse: str = ""

    def matches(self, operator: Operator, value: Value) -> Q:
        found = self._matches(operator, value)
        return Q(IsSet(F(self.sparse))) & found if self.sparse else found

    def _matches(self, operator: Operator, value: Value) -> Q:
        text = str(value)
        has_index = self.identifying if operator == Operator.EQUALS else self.indexed
        if has_index and value is not None and _TRIGRAM.search(fold(text)):
            return may_hold(fold(text)) & self._found(operator, text, is_likely=True)
        return self._found(operator, text)

    def misses(self, operator: Operator, value: Value) -> Q:
        return ~self._found(operator, str(value))

    def _found(self, operator: Operator, value: str, *, is_likely: bool = False) -> Q:
        wanted = self.normalize(value)
        if operator == Operator.IS_NOT_EMPTY:
            return ~is_text(self.expression, "")
        if not wanted:  # each text holds and begins with it, but for none that is unset
            return NOTHING if operator == Operator.EQUALS else ~is_text(self.expression, "")
        match operator:
            case Operator.CONTAINS:
                return holds(self.expression, wanted, is_likely=is_likely)
            case Operator.BEGINS:
                return begins(self.expression, wanted)
        return is_text(self.expression, wanted)


def ascii_lower(text: str) -> str:
    return "".join(character.lower() if character.isascii() else character for character in text)


def machine_text(expression: Any, *, indexed: bool = False, identifying: bool = False, sparse: str = "") -> Text:
    """What machines name: ASCII, so that no column of its own is kept for it."""
    return Text(AsciiLower(expression), ascii_lower, indexed, identifying, sparse)


def people_text(column: str, *, indexed: bool = True, identifying: bool = False) -> Text:
    return Text(F(column), fold, indexed, identifying)


@dataclass(frozen=True, slots=True)
class Uuid(Source):
    """Compared as text; a whole one through the column's index."""

    column: str

    def matches(self, operator: Operator, value: Value) -> Q:
        if operator == Operator.EQUALS:
            uuid = as_uuid(str(value))
            return NOTHING if uuid is None else Q((self.column, uuid))
        return machine_text(UuidText(F(self.column))).matches(operator, value)

    def misses(self, operator: Operator, value: Value) -> Q:
        return ~self.matches(operator, value)


def as_uuid(text: str) -> UUID | None:
    return UUID(text) if _UUID.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class Number(Source):
    """`low`: few rows are below it, and an index holds those alone."""

    column: str
    scale: float = 1
    low: float = -inf

    def matches(self, operator: Operator, value: Value) -> Q:
        if not isinstance(value, float):
            return Q((f"{self.column}__isnull", False))
        number = value / self.scale
        found = Q((f"{self.column}__{_LOOKUPS[operator]}", number))
        is_low = {Operator.LESS: number <= self.low, Operator.AT_MOST: number < self.low}.get(operator)
        return Q(IsBelow(F(self.column), limit=self.low)) & found if is_low else found

    def misses(self, operator: Operator, value: Value) -> Q:
        unset = Q((f"{self.column}__isnull", True))
        return unset | ~self.matches(operator, value) if isinstance(value, float) else unset


@dataclass(frozen=True, slots=True)
class Moment(Source):
    column: str

    def matches(self, operator: Operator, value: Value) -> Q:
        if not isinstance(value, Period):
            return Q((f"{self.column}__isnull", False))
        start, end = self.bounds(value)
        before, within = Q((f"{self.column}__lt", start)), Q((f"{self.column}__lt", end))
        since, after = Q((f"{self.column}__gte", start)), Q((f"{self.column}__gte", end))
        return {
            Operator.EQUALS: since & within,
            Operator.LESS: before,
            Operator.AT_MOST: within,
            Operator.GREATER: after,
            Operator.AT_LEAST: since,
        }[operator]

    def bounds(self, period: Period) -> tuple[date, date]:
        """As the column has them."""
        return period.start, period.end

    def misses(self, operator: Operator, value: Value) -> Q:
        unset = Q((f"{self.column}__isnull", True))
        return unset | ~self.matches(operator, value) if isinstance(value, Period) else unset


@dataclass(frozen=True, slots=True)
class Flag(Source):
    """True for some rows, false for others, unset for the rest."""

    true: Q
    false: Q

    def matches(self, operator: Operator, value: Value) -> Q:
        if operator == Operator.IS_NOT_EMPTY:
            return self.true | self.false
        return self.true if value else self.false

    def misses(self, operator: Operator, value: Value) -> Q:
        return ~self.matches(operator, value)


def flag_column(column: str) -> Flag:
    return Flag(Q((column, True)), Q((column, False)))


def condition(true: Q) -> Flag:
    """Never unset.  Its columns are never null."""
    return Flag(true, ~true)


@dataclass(frozen=True, slots=True)
class Choice(Source):
    """One of a few values; `stored`: what stands in the column for each, where that is something else.

    `is_common`: with some values an index leads to few.
    """

    column: str
    stored: Mapping[str, Any]
    unset: Q
    is_common: bool = False

    def matches(self, operator: Operator, value: Value) -> Q:
        if operator == Operator.IS_NOT_EMPTY:
            return ~self.unset
        if value not in self.stored:
            return NOTHING
        if self.is_common:
            return compared(self.column, "=", self.stored[str(value)])
        return Q((self.column, self.stored[str(value)]))

    def misses(self, operator: Operator, value: Value) -> Q:
        return ~self.matches(operator, value)


@dataclass(frozen=True, slots=True)
class Recent(Number):
    """Of which the low are rare, and the high may be nearly all."""

    def matches(self, operator: Operator, value: Value) -> Q:
        if isinstance(value, float) and operator in _RECENT:
            return compared(self.column, _RECENT[operator], int(value))
        return Number.matches(self, operator, value)


@dataclass(frozen=True, slots=True)
class Version(Source):
    """The text, and beside it the number that versions are compared by."""

    text: Text
    number: Number

    def matches(self, operator: Operator, value: Value) -> Q:
        return self._of(value).matches(operator, value)

    def misses(self, operator: Operator, value: Value) -> Q:
        return self._of(value).misses(operator, value)

    def _of(self, value: Value) -> Source:
        return self.number if isinstance(value, float) else self.text
