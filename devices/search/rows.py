"""The rows of the builder and the expression, kept in step: either is made from the other.

Match all or any of the rows; a row may be a group, which is such a list once more, and no deeper.
"""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from devices.search.errors import _
from devices.search.tree import All, AnyOf, Node, Not, Operator, Test, Word

Match: TypeAlias = Literal["all", "any"]
DEEPEST: Final = 2

NEGATION: Final = _("NOT cannot be shown as rows.")
LONE_WORD: Final = _("A word without a field cannot be shown as a row.")
NESTED: Final = _("Groups within groups cannot be shown as rows.")


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


def to_tree(rows: Rows) -> Node:
    """Of what people chose; `compile.check` says whether each value fits."""
    parts = tuple(_part(row) for row in rows.rows if isinstance(row, Row) or row.rows)
    if len(parts) == 1:
        return parts[0]
    return AnyOf(parts) if rows.match == "any" and parts else All(parts)


def from_tree(node: Node) -> Rows:
    """Raises NotRows."""
    return _rows(node, depth=1)


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
