"""Pages by the number of their first record, as clients of the V2 API ask for them.

A database finds the millionth record by counting to it, so who steps through all of them would have it count for each
page anew.  Where a page ended is remembered for a minute: the next one begins there, by the key of its order, as pages
of the portal do.  So is how many there are, where counting takes time.  Both are of this process; another one counts.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from django.db.models import F, Model, QuerySet

from epmm.portal import keyset
from epmm.portal.keyset import Order, Page

M = TypeVar("M", bound=Model)
SECONDS: Final = 60.0
FEW: Final = 1_000  # are counted, and counted to, with each page
REMEMBERED: Final = 1_000  # searches
PLACES: Final = 32  # of each, the newest
STEP: Final = 2_000  # records to pass over from a place that is known


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage(Generic[M]):
    rows: list[M]
    total: int
    has_more: bool


class Search:
    """What is known of one, for a while; the same caller may ask for several pages of it at once."""

    def __init__(self) -> None:
        self.until = time.monotonic() + SECONDS
        self.total: int | None = None
        self.keys: list[int] | None = None  # all of them, where they are few and were found first
        self._places: OrderedDict[tuple[Order, int], str] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, order: Order, offset: int, after: str) -> None:
        with self._lock:
            self._places[order, offset] = after
            self._places.move_to_end((order, offset))
            while len(self._places) > PLACES:
                self._places.popitem(last=False)
        self.until = time.monotonic() + SECONDS

    def nearest(self, order: Order, offset: int) -> tuple[int, str]:
        """The last known place that is not behind; the beginning is one."""
        with self._lock:
            known = [(at, after) for (each, at), after in self._places.items() if each == order and at <= offset]
        return max(known, default=(0, ""))


class _Memory:
    def __init__(self) -> None:
        self._searches: OrderedDict[Hashable, Search] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, name: Hashable) -> Search:
        """`name`: whoever asks, and what for; two of the same name are the same search."""
        with self._lock:
            known = self._searches.get(name)
            if known is None or known.until < time.monotonic():
                known = self._searches[name] = Search()
            self._searches.move_to_end(name)
            while len(self._searches) > REMEMBERED:
                self._searches.popitem(last=False)
            return known

    def clear(self) -> None:
        with self._lock:
            self._searches.clear()


_memory: Final = _Memory()
of: Final = _memory.of
forget: Final = _memory.clear


def page(
    found: QuerySet[M],
    known: Search,
    order: Order,
    *,
    offset: int,
    limit: int,
    read: Callable[..., Page[M]] = keyset.page,
) -> RecordPage[M]:
    total = count(found, known, remembered=FEW)
    if total <= FEW:
        return of_few(found, total, order, offset, limit)
    rows = _rows(found, known, order, offset, limit, read) if limit else []
    has_more = len(rows) > limit if limit else offset < total
    rows = rows[:limit]
    return RecordPage(rows=rows, total=_agreeing(total, offset, len(rows), has_more), has_more=has_more)


def of_few(found: QuerySet[M], total: int, order: Order, offset: int, limit: int) -> RecordPage[M]:
    rows = list(_ordered(found, order)[offset : offset + limit])
    if limit and not rows:  # they have been deleted since they were counted
        total = min(total, offset)
    return RecordPage(rows=rows, total=total, has_more=offset + len(rows) < total)


def count(found: QuerySet[M], known: Search, *, remembered: int) -> int:
    """Anew, unless more than so many were a while ago."""
    if (known.total or 0) <= remembered:
        known.total = found.order_by().count()
    return known.total or 0


def _agreeing(total: int, offset: int, number: int, has_more: bool) -> int:  # noqa: FBT001 - all of one page
    """What was counted a while ago must not contradict what is seen: some clients go by the one, some by the other."""
    if has_more:
        return max(total, offset + number + 1)
    return offset + number if number else min(total, offset)


def _rows(
    found: QuerySet[M], known: Search, order: Order, offset: int, limit: int, read: Callable[..., Page[M]]
) -> list[M]:
    """With the one after them."""
    at, after = known.nearest(order, offset)
    if offset - at > STEP:
        at, after = offset, _place(found, order, offset)
        if not after:
            return []
    passed = offset - at
    size = passed + limit
    got = read(found, order, size=size, after=after)
    if got.after:
        known.keep(order, at + size, got.after)
    rows = got.rows[passed:]
    return [*rows, rows[-1]] if got.after and rows else rows


def _place(found: QuerySet[M], order: Order, offset: int) -> str:
    """By counting, once; keys alone, which an index has."""
    last = _ordered(found.prefetch_related(None), order).only(*{"pk", order.column})[offset - 1 : offset].first()
    return keyset.place(last, order) if last is not None else ""


def _ordered(found: QuerySet[M], order: Order) -> QuerySet[M]:
    column = F(order.column)
    first = column.desc(nulls_last=True) if order.is_descending else column.asc(nulls_last=True)
    return found.order_by(first, "-pk" if order.is_descending else "pk")
