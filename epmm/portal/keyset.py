"""Pages by what stood last on the page before: the thousandth costs what the first does, and nothing is skipped."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from operator import itemgetter
from typing import Any, Final, Generic, TypeVar

from django.db.models import F, Model, Q, QuerySet

M = TypeVar("M", bound=Model)
LONGEST: Final = 4000  # two texts of 320 characters, each of four bytes, and what stands around them
Place = tuple[Any, ...]  # the values of a row in the columns of an order, and its key


@dataclass(frozen=True, slots=True)
class Order:
    """By one column, then by another where its index goes on with one, then by the primary key.

    Rows without a value in the first come last, whichever way it goes; the second always has one.
    """

    column: str
    is_descending: bool = False
    then: str = ""

    def reversed(self) -> "Order":
        return replace(self, is_descending=not self.is_descending)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, self.then) if self.then else (self.column,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[M]):
    rows: list[M]
    after: str  # the cursor of the next page; empty on the last
    before: str  # of the previous; empty on the first


def is_place(queryset: QuerySet[M], order: Order, cursor: str) -> bool:
    """Whether it is a cursor of a list in this order."""
    return _read(queryset, order, cursor) is not None


def place(row: Model, order: Order) -> str:
    """The cursor of what comes after a row."""
    return _cursor(row, order)


def page(queryset: QuerySet[M], order: Order, *, size: int, after: str = "", before: str = "") -> Page[M]:
    """A cursor that is none of ours begins anew."""
    place = _read(queryset, order, after or before)
    is_backwards = bool(before and not after and place)
    rows: list[M] = []
    for part in _parts(queryset, order, place, is_backwards=is_backwards):
        if len(rows) <= size:
            rows += part[: size + 1 - len(rows)]
    has_more, rows = len(rows) > size, rows[:size]
    if is_backwards:
        rows.reverse()
    return _page(rows, order, has_more=has_more, is_backwards=is_backwards, is_first=place is None)


def merged(parts: Sequence[QuerySet[M]], order: Order, *, size: int, after: str = "", before: str = "") -> Page[M]:
    """Of a list whose parts have an index each, by columns without texts: those each database orders in its own way."""
    place = _read(parts[0], order, after or before)
    is_backwards = bool(before and not after and place)
    pages = [page(part, order, size=size, after=after, before=before) for part in parts]
    rows = _in_order([row for each in pages for row in each.rows], order)
    has_more = len(rows) > size or any(each.before if is_backwards else each.after for each in pages)
    rows = rows[-size:] if is_backwards else rows[:size]
    return _page(rows, order, has_more=has_more, is_backwards=is_backwards, is_first=place is None)


def _in_order(rows: Sequence[M], order: Order) -> list[M]:
    """As `_parts` has them."""
    placed = [((*(_value(row, column) for column in order.columns), row.pk), row) for row in rows]
    known = sorted((each for each in placed if each[0][0] is not None), key=itemgetter(0), reverse=order.is_descending)
    unknown = [(place[1:], row) for place, row in placed if place[0] is None]
    unknown.sort(key=itemgetter(0), reverse=order.is_descending)
    return [row for _place, row in (*known, *unknown)]


def _page(rows: list[M], order: Order, *, has_more: bool, is_backwards: bool, is_first: bool) -> Page[M]:
    has_next = (has_more or is_backwards) and bool(rows)
    has_previous = (has_more if is_backwards else not is_first) and bool(rows)
    return Page(
        rows=rows,
        after=_cursor(rows[-1], order) if has_next else "",
        before=_cursor(rows[0], order) if has_previous else "",
    )


def _parts(queryset: QuerySet[M], order: Order, place: Place | None, *, is_backwards: bool) -> list[QuerySet[M]]:
    """Rows with a value, and those without by a question of their own: an index has its own place for nulls."""
    name, is_descending = order.column, order.is_descending != is_backwards
    beyond = "lt" if is_descending else "gt"
    parts, unknown = [queryset], queryset
    is_nullable = _is_nullable(queryset, name)
    if is_nullable:
        parts, unknown = [queryset.filter(**{f"{name}__isnull": False})], queryset.filter(**{f"{name}__isnull": True})
    value = place[0] if place else None
    if place is not None:
        further = Q(**{f"pk__{beyond}": place[-1]})
        if order.then:
            further = _further(order.then, place[1], beyond, further)
        if value is None:
            unknown = unknown.filter(further)
        elif order.then:  # so many may share the value that an index must be entered among them
            parts = [queryset.filter(further, **{name: value}), queryset.filter(**{f"{name}__{beyond}": value})]
        else:
            parts = [queryset.filter(_further(name, value, beyond, further))]
    last = [f"-{each}" if is_descending else each for each in (*order.columns[1:], "pk")]
    parts = [part.order_by(F(name).desc() if is_descending else F(name).asc(), *last) for part in parts]
    unknown = unknown.order_by(*last)
    if not is_nullable:
        return parts
    if place is None:
        return [*parts, unknown]
    if value is None:
        return [unknown, *parts] if is_backwards else [unknown]
    return parts if is_backwards else [*parts, unknown]


def _further(name: str, value: Any, beyond: str, further: Q) -> Q:
    """Beyond the value, or at it and `further`; the first half is what an index is entered with."""
    return Q(**{f"{name}__{beyond}e": value}) & (Q(**{f"{name}__{beyond}": value}) | (Q(**{name: value}) & further))


def _is_nullable(queryset: QuerySet[M], column: str) -> bool:
    return any(field.null for field in _fields(queryset, column))


def _cursor(row: Model, order: Order) -> str:
    told = [_list(row, order), *(_told(row, column) for column in order.columns), row.pk]
    return urlsafe_b64encode(json.dumps(told, default=str, ensure_ascii=False).encode()).decode().rstrip("=")


def _list(of: Model | type[Model], order: Order) -> str:
    """What a cursor holds for."""
    return f"{of._meta.label_lower} {'-' if order.is_descending else ''}{' '.join(order.columns)}"


def _value(row: Model, column: str) -> Any:
    value: Any = row
    for part in column.split("__"):
        value = getattr(value, part, None)
    return value


def _told(row: Model, column: str) -> Any:
    value = _value(row, column)
    return value.isoformat() if isinstance(value, datetime) else value


def _read(queryset: QuerySet[M], order: Order, text: str) -> Place | None:
    if not 0 < len(text) <= LONGEST:
        return None
    try:
        listed, *told, key = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if listed != _list(queryset.model, order) or type(key) is not int or not 0 <= key < 1 << 63:
            return None
        fields = (_fields(queryset, column)[-1] for column in order.columns)
        values = [None if value is None else _stored(f.to_python(value)) for f, value in zip(fields, told, strict=True)]
        return None if None in values[1:] else (*values, key)
    except Exception:  # noqa: BLE001 -- whatever somebody wrote into the address, it is no place in this list
        return None


def _stored(value: Any) -> Any:
    """Raises ValueError for what no column holds."""
    text = str(value)
    if (isinstance(value, datetime) and value.tzinfo is None) or "\0" in text:
        raise ValueError
    text.encode()  # JSON can write half a character, which has no bytes
    return value


def _fields(queryset: QuerySet[M], column: str) -> list[Any]:
    """From the first relation on the way to the column itself."""
    model: Any = queryset.model
    found: list[Any] = []
    for part in column.split("__"):
        found.append(model._meta.pk if part == "pk" else model._meta.get_field(part))
        model = found[-1].related_model
    return found
