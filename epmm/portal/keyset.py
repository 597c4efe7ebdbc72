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


def page(queryset: QuerySet[M], order: Order, *, size: int, after: str = "", before: str = "") -> Page[M]:
    """A cursor that is none of ours begins anew."""
    column = order.column
    place = _read(queryset, column, after or before)
    is_backwards = bool(before and not after and place)
    if place is not None:
        queryset = queryset.filter(_beyond(order, place, is_backwards=is_backwards))
    rows = list(_ordered(queryset, order, is_backwards=is_backwards)[: size + 1])
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


def _ordered(queryset: QuerySet[M], order: Order, *, is_backwards: bool) -> QuerySet[M]:
    field, key = F(order.column), F("pk")
    if order.is_descending != is_backwards:
        by = field.desc(nulls_first=True) if is_backwards else field.desc(nulls_last=True)
        return queryset.order_by(by, key.desc())
    return queryset.order_by(field.asc(nulls_first=True) if is_backwards else field.asc(nulls_last=True), key.asc())


def _beyond(order: Order, place: tuple[Any, int], *, is_backwards: bool) -> Q:
    value, key = place
    name, forward = order.column, order.is_descending == is_backwards
    later = Q(pk__gt=key) if forward else Q(pk__lt=key)
    if value is None:
        empty = Q(**{f"{name}__isnull": True}) & later
        return empty | Q(**{f"{name}__isnull": False}) if is_backwards else empty
    further = Q(**{f"{name}__gt" if forward else f"{name}__lt": value}) | (Q(**{name: value}) & later)
    return further if is_backwards else further | Q(**{f"{name}__isnull": True})


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
        if not isinstance(key, int) or abs(key) >= 1 << 63:
            return None
        return (None if value is None else _field(queryset, column).to_python(value)), key
    except Exception:  # noqa: BLE001 -- whatever somebody wrote into the address, it is no place in this list
        return None


def _field(queryset: QuerySet[M], column: str) -> Any:
    model: Any = queryset.model
    *path, last = column.split("__")
    for part in path:
        model = model._meta.get_field(part).related_model
    return model._meta.get_field(last)
