"""Filters of a list, each a value in the address: exact words, choices, and days from and to."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.timezone import make_aware

M = TypeVar("M", bound=Model)
LONGEST: Final = 255
LONGEST_LIST: Final = 4000
PLACE: Final = ("after", "before", "format")  # of a page of what was listed before


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """`lookup` as Django writes it; a choice knows its values, anything else is typed."""

    key: str
    label: str | Promise
    lookup: str
    or_by: Callable[[str], Q] | None = None  # where else it may stand
    values: Sequence[tuple[str, str | Promise]] = ()
    known: Callable[[], Iterable[str]] | None = None  # offered while typing
    is_lower: bool = False  # kept in lower case
    is_several: bool = False  # any of the known, ticked; in the address with commas between
    hint: str | Promise = ""  # what may be typed
    means: Callable[[str], Q] | None = None  # what a text stands for, where it is more than a value
    day: int | None = None  # a date; how many days are added, so that a `to` includes its day

    def condition(self, text: str) -> Q | None:
        """None when the text means nothing to it."""
        if self.day is not None:
            try:
                at = datetime.combine(date.fromisoformat(text) + timedelta(days=self.day), time())
                return Q(**{self.lookup: make_aware(at)})
            except (ValueError, OverflowError):
                return None
        if self.values and text not in dict(self.values):
            return None
        if self.means is not None:
            return self.means(text)
        if self.is_several:
            return Q(**{f"{self.lookup}__in": text.split(",")})
        value = text.lower() if self.is_lower else text
        condition = Q(**{self.lookup: value})
        return condition | self.or_by(value) if self.or_by else condition


def days(column: str, *, since: str | Promise, until: str | Promise) -> tuple[Filter, Filter]:
    return (
        Filter(key="from", label=since, lookup=f"{column}__gte", day=0),
        Filter(key="to", label=until, lookup=f"{column}__lt", day=1),
    )


def typed(each: Filter, asked: Mapping[str, str]) -> str:
    longest = LONGEST_LIST if each.is_several else LONGEST
    return asked.get(each.key, "")[:longest].replace("\0", "").strip()


def narrowed(queryset: QuerySet[M], filters: Sequence[Filter], asked: Mapping[str, str]) -> QuerySet[M]:
    for each in filters:
        condition = each.condition(text) if (text := typed(each, asked)) else None
        if condition is not None:
            queryset = queryset.filter(condition)
    return queryset


class Filters:
    """As one reader has set them."""

    def __init__(self, request: HttpRequest, filters: Sequence[Filter]) -> None:
        self._filters = filters
        self._asked = request.GET.dict()
        self.path = request.path

    def apply(self, queryset: QuerySet[M]) -> QuerySet[M]:
        return narrowed(queryset, self._filters, self._asked)

    def chosen(self) -> dict[str, str]:
        """What is set, by the names that the address has."""
        return {each.key: text for each in self._filters if (text := typed(each, self._asked))}

    def context(self) -> dict[str, Any]:
        """A filter whose value means nothing shows it all the same, so that it can be corrected."""
        own = {each.key for each in self._filters}
        kept = [(name, value) for name, value in self._asked.items() if name not in own and name not in PLACE]
        return {
            "filters": [self._shown(each) for each in self._filters],
            "is_filtered": bool(self.chosen()),
            "filters_kept": kept,
        }

    def _shown(self, each: Filter) -> tuple[Filter, str, list[str] | list[tuple[str, bool]]]:
        """With what is offered; of several, whether it is ticked."""
        text, known = typed(each, self._asked), list(each.known()) if each.known else []
        if not each.is_several:
            return each, text, known
        ticked = [name for name in text.split(",") if name]
        return each, text, [(name, name in ticked) for name in sorted({*known, *ticked})]
