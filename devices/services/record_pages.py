"""Pages of devices by the number of their first record, as clients of the V2 API ask for them.

A database finds the millionth record by counting to it, so who steps through all of them would have it count for each
page anew.  Where a page ended is remembered for a minute: the next one begins there, by the key of its order, as pages
of the portal do.  So is how many there are, where counting takes time.  Both are of this process; another one counts.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from django.db.models import F, QuerySet

from devices.models import Device
from devices.services import listing, search
from epmm.portal import keyset
from epmm.portal.keyset import Order

SECONDS: Final = 60.0
FEW: Final = 1_000  # are found first, and put in order then
CAP: Final = search.CAP
REMEMBERED: Final = 1_000  # searches
PLACES: Final = 32  # of each, the newest
STEP: Final = 2_000  # records to pass over from a place that is known
COUNTING: Final = 60.0
BY_ID: Final = Order("pk")
BY_TIME: Final = ("last_seen_at", "registered_at")  # have an index of standing devices alone


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    devices: list[Device]
    total: int
    has_more: bool


class _Search:
    """What is known of one, for a while."""

    def __init__(self) -> None:
        self.until = time.monotonic() + SECONDS
        self.total: int | None = None
        self.places: OrderedDict[tuple[Order, int], str] = OrderedDict()

    def keep(self, order: Order, offset: int, after: str) -> None:
        self.places[order, offset] = after
        self.places.move_to_end((order, offset))
        while len(self.places) > PLACES:
            self.places.popitem(last=False)
        self.until = time.monotonic() + SECONDS

    def nearest(self, order: Order, offset: int) -> tuple[int, str]:
        """The last known place that is not behind; the beginning is one."""
        known = [(at, after) for (each, at), after in self.places.items() if each == order and at <= offset]
        return max(known, default=(0, ""))


class _Memory:
    def __init__(self) -> None:
        self._searches: OrderedDict[Hashable, _Search] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, name: Hashable) -> _Search:
        with self._lock:
            known = self._searches.get(name)
            if known is None or known.until < time.monotonic():
                known = self._searches[name] = _Search()
            self._searches.move_to_end(name)
            while len(self._searches) > REMEMBERED:
                self._searches.popitem(last=False)
            return known

    def clear(self) -> None:
        with self._lock:
            self._searches.clear()


_memory: Final = _Memory()
forget: Final = _memory.clear


def page(found: QuerySet[Device], *, name: Hashable, order: Order, offset: int, limit: int) -> RecordPage:
    """`name`: whoever asks, and what for; two of the same name are the same search.  Raises SearchRefused."""
    known = _memory.of(name)
    with search.patiently(COUNTING):
        if (known.total or 0) <= FEW and len(keys := _first_keys(found)) <= FEW:
            return _of_few(keys, order, offset, limit)
        total = _total(found, known, remembered=FEW)
        rows = _rows(found, known, order, offset, limit) if limit else []
        devices = rows[:limit]
        search.with_users(devices)
    has_more = len(rows) > limit if limit else offset < total
    return RecordPage(devices=devices, total=_agreeing(total, offset, len(devices), has_more), has_more=has_more)


def _agreeing(total: int, offset: int, number: int, has_more: bool) -> int:  # noqa: FBT001 - all of one page
    """What was counted a while ago must not contradict what is seen: some clients go by the one, some by the other."""
    if has_more:
        return max(total, offset + number + 1)
    return offset + number if number else min(total, offset)


def following(
    found: QuerySet[Device], order: Order, *, size: int, after: str, with_retired: bool
) -> keyset.Page[Device]:
    """By cursor.  Few are found first, and put in order then.  Raises SearchRefused."""
    with search.patiently(COUNTING):
        if len(keys := _first_keys(found)) <= FEW:
            rows = Device.objects.filter(pk__in=keys).defer("details")
            page = keyset.page(rows, order, size=size, after=after)
        elif with_retired:
            page = _keyset(found.defer("details"), order, size=size, after=after)
        else:
            page = keyset.page(found.defer("details"), order, size=size, after=after)
        search.with_users(page.rows)
    return page


def count(found: QuerySet[Device], *, name: Hashable) -> int:
    """Exactly.  Raises SearchRefused."""
    known = _memory.of(name)
    with search.patiently(COUNTING):
        return _total(found, known, remembered=CAP)


def _first_keys(found: QuerySet[Device]) -> list[int]:
    return list(found.order_by().values_list("pk", flat=True)[: FEW + 1])


def _total(found: QuerySet[Device], known: _Search, *, remembered: int) -> int:
    """Counted anew, unless more than so many were a while ago."""
    if (known.total or 0) <= remembered:
        known.total = found.order_by().count()
    return known.total or 0


def _of_few(keys: list[int], order: Order, offset: int, limit: int) -> RecordPage:
    column = F(order.column)
    first = column.desc(nulls_last=True) if order.is_descending else column.asc(nulls_last=True)
    rows = Device.objects.filter(pk__in=keys).defer("details")
    rows = rows.order_by(first, "-pk" if order.is_descending else "pk")
    devices = list(rows[offset : offset + limit])
    search.with_users(devices)
    return RecordPage(devices=devices, total=len(keys), has_more=offset + len(devices) < len(keys))


def _rows(found: QuerySet[Device], known: _Search, order: Order, offset: int, limit: int) -> list[Device]:
    """With the one after them."""
    at, after = known.nearest(order, offset)
    if offset - at > STEP:
        at, after = offset, _place(found, order, offset)
        if not after:
            return []
    passed = offset - at
    size = passed + limit
    got = _keyset(found.defer("details"), order, size=size, after=after)
    if got.after:
        known.keep(order, at + size, got.after)
    rows = got.rows[passed:]
    return [*rows, rows[-1]] if got.after and rows else rows


def _keyset(found: QuerySet[Device], order: Order, *, size: int, after: str) -> keyset.Page[Device]:
    if order.column in BY_TIME:
        return keyset.merged(listing.parts(found), order, size=size, after=after)
    return keyset.page(found, order, size=size, after=after)


def _place(found: QuerySet[Device], order: Order, offset: int) -> str:
    """By counting, once; keys alone, which an index has."""
    last = _ordered(found, order)[offset - 1 : offset].first()
    return keyset.place(last, order) if last is not None else ""


def _ordered(found: QuerySet[Device], order: Order) -> QuerySet[Device]:
    column = F(order.column)
    first = column.desc(nulls_last=True) if order.is_descending else column.asc(nulls_last=True)
    only = found.only("pk") if order.column == "pk" else found.only("pk", order.column)
    return only.order_by(first, "-pk" if order.is_descending else "pk")
