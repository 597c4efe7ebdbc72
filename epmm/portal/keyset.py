"""Pages by what stood last on the page before: the thousandth costs what the first does, and nothing is skipped."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from django.db.models import F, Model, Q, QuerySet

M = TypeVar("M", bound=Model)
LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class Order:
    """By one column, then by the primary key; rows without a value come last, whichever way it goes."""

    column: str
    is_descending: bool = False

    def reversed(self) -> "Order":
        return Order(self.column, not self.is_descending)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[M]):
    rows: list[M]
    after: str  # the cursor of the next page; empty on the last
    before: str  # of the previous; empty on the first


def is_place(queryset: QuerySet[M], order: Order, cursor: str) -> bool:
    """Whether it is a cursor of a list in this order."""
    return _read(queryset, order.column, cursor) is not None


def page(queryset: QuerySet[M], order: Order, *, size: int, after: str = "", before: str = "") -> Page[M]:
    """A cursor that is none of ours begins anew."""
    column = order.column
    place = _read(queryset, column, after or before)
    is_backwards = bool(before and not after and place)
    rows: list[M] = []
    for part in _parts(queryset, order, place, is_backwards=is_backwards):
        if len(rows) <= size:
            rows += part[: size + 1 - len(rows)]
    has_more, rows = len(rows) > size, rows[:size]
    if is_backwards:
        rows.reverse()
    has_next = (has_more or is_backwards) and bool(rows)
    has_previous = (has_more if is_backwards else place is not None) and bool(rows)
    return Page(
        rows=rows,
        after=_cursor(rows[-1], column) if has_next else "",
        before=_cursor(rows[0], column) if has_previous else "",
    )


def _parts(
    queryset: QuerySet[M], order: Order, place: tuple[Any, int] | None, *, is_backwards: bool
) -> list[QuerySet[M]]:
    """Rows with a value, and those without by a question of their own: an index has its own place for nulls."""
    name, is_descending = order.column, order.is_descending != is_backwards
    known = unknown = queryset
    is_nullable = _is_nullable(queryset, name)
    if is_nullable:
        known, unknown = queryset.filter(**{f"{name}__isnull": False}), queryset.filter(**{f"{name}__isnull": True})
    value, key = place or (None, 0)
    further_key = Q(pk__lt=key) if is_descending else Q(pk__gt=key)
    if place is not None and value is None:
        unknown = unknown.filter(further_key)
    elif place is not None:
        beyond, edge = ("lt", "lte") if is_descending else ("gt", "gte")
        # the first half is what an index is entered with
        known = known.filter(
            Q(**{f"{name}__{edge}": value}) & (Q(**{f"{name}__{beyond}": value}) | (Q(**{name: value}) & further_key))
        )
    known = known.order_by(F(name).desc() if is_descending else F(name).asc(), "-pk" if is_descending else "pk")
    unknown = unknown.order_by("-pk" if is_descending else "pk")
    if not is_nullable:
        return [known]
    if place is None:
        return [known, unknown]
    if value is None:
        return [unknown, known] if is_backwards else [unknown]
    return [known] if is_backwards else [known, unknown]


def _is_nullable(queryset: QuerySet[M], column: str) -> bool:
    return any(field.null for field in _fields(queryset, column))


def _cursor(row: Model, column: str) -> str:
    value: Any = row
    for part in column.split("__"):
        value = getattr(value, part, None)
    told = value.isoformat() if isinstance(value, datetime) else value
    return urlsafe_b64encode(json.dumps([told, row.pk], default=str).encode()).decode().rstrip("=")


def _read(queryset: QuerySet[M], column: str, text: str) -> tuple[Any, int] | None:
    if not 0 < len(text) <= LONGEST:
        return None
    try:
        value, key = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if type(key) is not int or not 0 <= key < 1 << 63:
            return None
        field = _fields(queryset, column)[-1]
        return (None if value is None else _stored(field.to_python(value))), key
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
