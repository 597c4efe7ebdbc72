"""Pages of devices by the number of their first record; see `epmm/portal/record_pages.py`.

Where few match, they are found first, and put in order then.
"""

from collections.abc import Hashable
from typing import Final

from django.db import connection
from django.db.models import QuerySet

from devices.models import Device
from devices.services import listing, search
from epmm.portal import keyset, record_pages
from epmm.portal.keyset import Order
from epmm.portal.record_pages import RecordPage, Search
from users.models import User

CAP: Final = search.CAP
COUNTING: Final = 60.0
BY_ID: Final = Order("pk")
BY_TIME: Final = ("last_seen_at", "registered_at")  # have an index of standing devices alone


def page(found: QuerySet[Device], *, name: Hashable, order: Order, offset: int, limit: int) -> RecordPage[Device]:
    """Raises SearchRefused."""
    known = record_pages.of(name)
    with search.patiently(COUNTING):
        keys = _few(found, known, offset)
        if keys is not None:
            page = record_pages.of_few(_those(keys), len(keys), order, offset, limit)
        else:
            everything = found.defer("details")
            page = record_pages.page(everything, known, order, offset=offset, limit=limit, read=_keyset)
        search.with_users(page.rows)
    return page


def following(
    found: QuerySet[Device],
    order: Order,
    *,
    size: int,
    after: str,
    with_retired: bool,
    people: QuerySet[User] | None = None,
) -> keyset.Page[Device]:
    """By cursor.  `people`: with the columns that are needed of them.  Raises SearchRefused.

    PostgreSQL has statistics of each column, and goes through the order where many match; to ask for few first would
    cost most pages more than all of them.
    """
    with search.patiently(COUNTING):
        if connection.vendor == "sqlite" and len(keys := _first_keys(found)) <= record_pages.FEW:
            page = keyset.page(_those(keys), order, size=size, after=after)
        elif with_retired:
            page = _keyset(found.defer("details"), order, size=size, after=after)
        else:
            page = keyset.page(found.defer("details"), order, size=size, after=after)
        search.with_users(page.rows, people)
    return page


def count(found: QuerySet[Device], *, name: Hashable) -> int:
    """Exactly.  Raises SearchRefused."""
    with search.patiently(COUNTING):
        return record_pages.count(found, record_pages.of(name), remembered=CAP)


def _few(found: QuerySet[Device], known: Search, offset: int) -> list[int] | None:
    """All that match, if they are few: with a first page anew, and the next ones go on with what it has found."""
    if not offset or known.keys is None:
        known.keys = None
        if (known.total or 0) <= record_pages.FEW and len(keys := _first_keys(found)) <= record_pages.FEW:
            known.keys = keys
    return known.keys


def _first_keys(found: QuerySet[Device]) -> list[int]:
    return list(found.order_by().values_list("pk", flat=True)[: record_pages.FEW + 1])


def _those(keys: list[int]) -> QuerySet[Device]:
    return Device.objects.filter(pk__in=keys).defer("details")


def _keyset(found: QuerySet[Device], order: Order, *, size: int, after: str) -> keyset.Page[Device]:
    if order.column in BY_TIME:
        return keyset.merged(listing.parts(found), order, size=size, after=after)
    return keyset.page(found, order, size=size, after=after)
