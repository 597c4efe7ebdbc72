"""The one list of the portal: search, ticked rows, columns to choose, sorting, pages, a capped count, CSV.

All that a reader chooses stands in the address, so a view can be kept or mailed.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Generic, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.functional import Promise

from epmm import audit, masking
from epmm.numbers import grouped
from epmm.portal import keyset
from epmm.portal.keyset import Order, Page

M = TypeVar("M", bound=Model)
COUNT_CAP: Final = 10_000
SIZES: Final = (25, 50, 100)  # of a page; a list whose rows are large offers fewer, for a page has 60 kB
EXPORTED_AT_ONCE: Final = 1_000
LONGEST_SEARCH: Final = 200
MOST_TICKED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Badge:
    """A short word with a colour that only underlines it: good, bad, waiting or plain."""

    text: str | Promise
    tone: str = "plain"
    key: str = ""  # of the element, for what a poll puts in its place
    note: str | Promise = ""  # why it is so, beside the word

    def __str__(self) -> str:
        return str(self.text)

    @property
    def shown(self) -> str:
        return f"{self.text}: {self.note}" if self.note else str(self.text)


@dataclass(frozen=True, slots=True)
class Link:
    text: str
    address: str
    note: str = ""
    has_panel: bool = False  # it opens beside the list, called by the end of `address`, which is that of its own page
    is_edit: bool = False  # it leads to where this is changed

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Long:
    """A text that may break anywhere: what it says can be without spaces."""

    text: str

    def __str__(self) -> str:
        return self.text


Cell = str | int | bool | datetime | Badge | Link | Long | None


@dataclass(frozen=True, kw_only=True)
class Column(Generic[M]):
    key: str
    label: str | Promise
    value: Callable[[M], Cell]
    order: str = ""  # the field it is sorted by, which has an index; empty: not sortable
    then: str = ""  # what that index goes on with before the key
    told: Callable[[M], Cell] | None = None  # to a spreadsheet, where a page shows something that is yet to come
    is_shown: bool = True  # until a reader chooses


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Something to do with ticked rows; `name` is the address of its dialog in the namespace `portal`."""

    label: str | Promise
    name: str
    icon: str
    is_dangerous: bool = False
    why_not: str | Promise = ""  # greyed, and this says why


@dataclass(frozen=True, kw_only=True)
class Listing(Generic[M]):
    name: str  # of its address in the namespace `portal`
    title: str | Promise
    columns: Sequence[Column[M]]
    sorted_by: str  # key of a column, with `-` before it when descending
    find: Callable[[QuerySet[M], str], QuerySet[M]] | None = None  # by what is typed into the search box
    search_hint: str | Promise = ""
    actions: Sequence[Action] = ()
    empty: str | Promise = ""  # what to do where there is nothing at all
    beside: Callable[[Sequence[M]], None] | None = None  # what rows tell besides, asked for all of a page at once
    gather: Callable[[Sequence[M]], None] | None = None  # and what only a file tells
    sizes: Sequence[int] = SIZES
    keys: Callable[[M], str] = field(default=lambda row: str(row.pk))
    reading: Callable[[], AbstractContextManager[None]] = nullcontext  # around what asks the database

    def view(self, request: HttpRequest, everything: QuerySet[M]) -> "View[M]":
        return View(self, request, everything)


class View(Generic[M]):
    """A listing as one reader looks at it; `queryset` is what is listed, on whatever page."""

    def __init__(self, listing: Listing[M], request: HttpRequest, everything: QuerySet[M]) -> None:
        self.listing = listing
        self._asked: Mapping[str, str] = request.GET.dict()
        self.path = request.path
        self._reader = str(request.user)
        self.text = self._asked.get("q", "")[:LONGEST_SEARCH].replace("\0", "").strip()
        self._hidden = masking.hidden()  # kept: a file is still being written when the request is over
        self._model: type[Model] = everything.model
        self.queryset = listing.find(everything, self.text) if listing.find and self.text else everything
        size = self._asked.get("size", "")
        self.size = int(size) if size in map(str, listing.sizes) else listing.sizes[1]
        self.columns = self._chosen_columns()
        self.sort = self._chosen_sort()
        self.shown: list[M] = []  # the rows of the page, once it is read
        self.is_searched = listing.find is not None  # a template would call `find` itself

    @property
    def order(self) -> Order:
        column = self._column(self.sort.removeprefix("-"))
        if column is None:
            raise LookupError(self.sort)
        return Order(column.order, self.sort.startswith("-"), column.then)

    def page(self) -> Page[M]:
        return self.page_of(self.queryset)

    def page_of(self, rows: QuerySet[M]) -> Page[M]:
        after, before = self._asked.get("after", ""), self._asked.get("before", "")
        return keyset.page(rows, self.order, size=self.size, after=after, before=before)

    def page_of_parts(self, parts: Sequence[QuerySet[M]]) -> Page[M]:
        """Of a list whose parts have an index each."""
        after, before = self._asked.get("after", ""), self._asked.get("before", "")
        return keyset.merged(parts, self.order, size=self.size, after=after, before=before)

    def count(self) -> str:
        """Exact up to a cap: nobody reads the difference between 61,212 and 61,213, and it costs a second."""
        return counted(self.queryset.order_by().values("pk")[: COUNT_CAP + 1].count())  # without what is annotated

    def context(self) -> dict[str, Any]:
        with self.listing.reading():
            page = self.page()
            self._read_beside(page)
            count = self.count() if page.after or page.before else grouped(len(page.rows))
        self.shown = page.rows
        return {
            "list": self,
            "listing": self.listing,
            "rows": [(self.listing.keys(row), self._cells(row)) for row in page.rows],
            "count": count,
            "next_address": self.address(after=page.after) if page.after else "",
            "previous_address": self.address(before=page.before) if page.before else "",
            "sizes": [(size, self.address(size=str(size)), size == self.size) for size in self.listing.sizes],
            "headings": [self._heading(column) for column in self.columns],
            "choices": [(column, column in self.columns) for column in self.listing.columns],
            "csv_address": self.address(format="csv"),
            "kept": [(name, value) for name, value in self._kept().items() if name not in ("q", "columns")],
        }

    def address(self, **changed: str) -> str:
        """This view with something else; a page belongs to one order of one selection, so it goes."""
        chosen = {name: value for name, value in (self._kept() | changed).items() if value}
        return f"{self.path}?{urlencode(chosen)}" if chosen else self.path

    def csv(self) -> StreamingHttpResponse:
        """All that is listed, in this order, a thousand rows in memory at a time."""
        audit.record(
            "list.exported", actor=self._reader, subject_type="list", subject=self.listing.name, details=self._kept()
        )
        first = self._exported("")  # what is refused is refused before the answer begins
        name = f"{self.listing.name}-{timezone.now():%Y-%m-%d}.csv"
        return csv_answer(name, [column.label for column in self.columns], self._tables(first))

    def _tables(self, page: Page[M]) -> Iterator[list[list[Cell]]]:
        while True:
            yield [self._cells(row, is_told=True) for row in page.rows]
            if not page.after:
                return
            page = self._exported(page.after)

    def _exported(self, after: str) -> Page[M]:
        with self.listing.reading():
            page = keyset.page(self.queryset, self.order, size=EXPORTED_AT_ONCE, after=after)
            self._read_beside(page)
        if self.listing.gather is not None:
            self.listing.gather(page.rows)
        return page

    def _read_beside(self, page: Page[M]) -> None:
        if self.listing.beside is not None and page.rows:
            self.listing.beside(page.rows)

    def _cells(self, row: M, *, is_told: bool = False) -> list[Cell]:
        shown = masking.seen(row, self._hidden)
        return [((column.told if is_told else None) or column.value)(shown) for column in self.columns]

    def _sorts(self, column: Column[M]) -> bool:
        """Not by what is hidden: the order would tell, and so would the address of the next page."""
        return bool(column.order) and not masking.is_hidden(self._model, column.order, self._hidden)

    def _kept(self) -> dict[str, str]:
        return {name: value for name, value in self._asked.items() if name not in ("after", "before", "format", "open")}

    def _column(self, key: str) -> Column[M] | None:
        return next((column for column in self.listing.columns if column.key == key), None)

    def _chosen_columns(self) -> list[Column[M]]:
        chosen = self._asked.get("columns", "").split(",")
        columns = [column for column in self.listing.columns if column.key in chosen]
        return columns or [column for column in self.listing.columns if column.is_shown]

    def _chosen_sort(self) -> str:
        asked = self._asked.get("sort", "")
        column = self._column(asked.removeprefix("-"))
        if column is not None and self._sorts(column):
            return asked
        usual = self._column(self.listing.sorted_by.removeprefix("-"))
        if usual is not None and self._sorts(usual):
            return self.listing.sorted_by
        return next(f"-{each.key}" for each in self.listing.columns if self._sorts(each))

    def _heading(self, column: Column[M]) -> dict[str, Any]:
        is_sorted = self.sort.removeprefix("-") == column.key
        is_descending = is_sorted and self.sort.startswith("-")
        return {
            "label": column.label,
            "address": self.address(sort=column.key if is_descending or not is_sorted else f"-{column.key}")
            if self._sorts(column)
            else "",
            "sorted": ("descending" if is_descending else "ascending") if is_sorted else "",
        }


def counted(number: int, cap: int = COUNT_CAP) -> str:
    return f"{grouped(cap)}+" if number > cap else grouped(number)


def csv_answer(
    name: str, headings: Iterable[str | Promise], tables: Iterable[Iterable[Sequence[Cell]]]
) -> StreamingHttpResponse:
    """A file that is sent while it is made, a table at a time: each piece costs a change of thread."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(_pieces(headings, tables), content_type="text/csv; charset=utf-8", headers=headers)


def _pieces(headings: Iterable[str | Promise], tables: Iterable[Iterable[Sequence[Cell]]]) -> Iterator[str]:
    yield "\N{BYTE ORDER MARK}" + _csv([[str(heading) for heading in headings]])
    for rows in tables:
        yield _csv(rows)


def _csv(rows: Iterable[Sequence[Cell]]) -> str:
    written = io.StringIO()
    csv.writer(written).writerows([plain(cell) for cell in row] for row in rows)
    return written.getvalue()


def plain(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case datetime():
            return cell.isoformat(timespec="seconds")
        case _:
            text = str(cell)
    # a spreadsheet takes what begins like this for a formula, whoever wrote it
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def ticked(request: HttpRequest) -> list[str]:
    """The keys of the ticked rows, as the list's form sends them."""
    return [str(key)[:64] for key in request.POST.getlist("row")[:MOST_TICKED]]
