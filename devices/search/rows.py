"""The rows of the builder and the expression, kept in step: either is made from the other.

Match all or any of the rows; a row may be a group, which is such a list once more, and no deeper.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal, TypeAlias

from devices.search.errors import _
from devices.search.tree import All, AnyOf, Node, Not, Operator, Test, Word

Match: TypeAlias = Literal["all", "any"]
DEEPEST: Final = 2
MOST: Final = 50  # a page of more is no help to anybody
UNFINISHED: Final = re.compile(r"now-[a-z]?")  # so long ago, and nobody has said how long

NEGATION: Final = _("NOT cannot be shown as rows.")
LONE_WORD: Final = _("A word without a field cannot be shown as a row.")
NESTED: Final = _("Groups within groups cannot be shown as rows.")
TOO_MANY: Final = _("More than 50 conditions are not shown as rows.")


class NotRows(Exception):
    """The expression says something that rows cannot.  The argument is the reason, for the person who wrote it."""


@dataclass(frozen=True, slots=True)
class Row:
    field: str
    operator: Operator
    value: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    match: Match
    rows: tuple["Row | Rows", ...] = ()


BLANK: Final = Row("", Operator.EQUALS)


def to_tree(rows: Rows) -> Node:
    """Of what people chose; `compile.check` says whether each value fits."""
    parts = tuple(_part(row) for row in rows.rows if isinstance(row, Row) or row.rows)
    if len(parts) == 1:
        return parts[0]
    return AnyOf(parts) if rows.match == "any" and parts else All(parts)


def from_tree(node: Node) -> Rows:
    """Raises NotRows."""
    rows = _rows(node, depth=1)
    if _number(rows) > MOST:
        raise NotRows(TOO_MANY)
    return rows


def finished(rows: Rows) -> Rows:
    """Without the rows that say nothing yet."""
    parts = (finished(row) if isinstance(row, Rows) else row for row in rows.rows)
    return Rows(rows.match, tuple(row for row in parts if (row.rows if isinstance(row, Rows) else _is_finished(row))))


def unfinished(rows: Rows) -> int:
    """How many have a field and no value."""
    return sum(
        unfinished(row) if isinstance(row, Rows) else bool(row.field) and not _is_finished(row) for row in rows.rows
    )


def added(rows: Rows, new: Row | Rows, group: int | None = None) -> Rows:
    """At the end of the rows, or of the group that is the row with this number."""
    if _number(rows) >= MOST:
        return rows
    if group is None:
        return Rows(rows.match, (*rows.rows, new))
    return _replaced(rows, group, lambda found: (added(found, new) if isinstance(found, Rows) else found,))


def removed(rows: Rows, place: tuple[int, ...]) -> Rows:
    """A group whose last row goes, goes as well."""
    number, *within = place
    if not within:
        return _replaced(rows, number, lambda _found: ())

    def without(found: Row | Rows) -> tuple[Row | Rows, ...]:
        if not isinstance(found, Rows):
            return (found,)
        rest = removed(found, tuple(within))
        return (rest,) if rest.rows else ()

    return _replaced(rows, number, without)


def _replaced(rows: Rows, number: int, by: Callable[[Row | Rows], tuple[Row | Rows, ...]]) -> Rows:
    parts = [by(row) if place == number else (row,) for place, row in enumerate(rows.rows)]
    return Rows(rows.match, tuple(chain.from_iterable(parts)))


def _number(rows: Rows) -> int:
    return sum(_number(row) if isinstance(row, Rows) else 1 for row in rows.rows)


def _is_finished(row: Row) -> bool:
    return bool(row.field) and (not row.operator.takes_value or _is_value(row.value))


def _is_value(value: str) -> bool:
    return bool(value) and not UNFINISHED.fullmatch(value)


def _part(row: Row | Rows) -> Node:
    if isinstance(row, Rows):
        return to_tree(row)
    return Test(field=row.field, operator=row.operator, value=row.value if row.operator.takes_value else "")


def _rows(node: Node, *, depth: int) -> Rows:
    match node:
        case All(parts=parts):
            return Rows("all", tuple(_row(part, depth) for part in parts))
        case AnyOf(parts=parts):
            return Rows("any", tuple(_row(part, depth) for part in parts))
    return Rows("all", (_row(node, depth),))


def _row(node: Node, depth: int) -> Row | Rows:
    match node:
        case Test(field=field, operator=operator, value=value):
            return Row(field, operator, value)
        case Not():
            raise NotRows(NEGATION)
        case Word():
            raise NotRows(LONE_WORD)
    if depth == DEEPEST:
        raise NotRows(NESTED)
    return _rows(node, depth=depth + 1)
