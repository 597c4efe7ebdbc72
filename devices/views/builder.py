"""Advanced Search and the criteria of labels: rows and expression, kept in step (portal specification, section 6).

Whichever of the two somebody changes is sent here, and the other one goes back.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.html import escape
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from devices.search.rows import BLANK, NotRows, Rows, added, finished, from_tree, removed, to_tree, unfinished
from devices.search.tree import write
from devices.services import search
from devices.services.search import SearchRefused
from devices.views import search_rows

KEPT: Final = 30 * 24 * 3600  # seconds in a browser
AROUND: Final = 200  # characters of an expression, beside a mistake in it
MOST_AT_FIRST: Final = 2  # rows of a page; more of them come when it is there
SECONDS: Final = 3.0  # of a count that somebody sees while typing
_PLACE: Final = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?", re.ASCII)
# What a mark covers: a text in quotation marks, an operator, or a word.
_MARKED: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|[!<>=]+|[^\s()"]+|.', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong, and the place; `start` and `end` as a browser counts: in UTF-16."""

    sentence: str
    before: str = ""
    marked: str = ""
    after: str = ""

    @classmethod
    def of(cls, refused: SearchRefused, text: str) -> "Mistake":
        if refused.at is None:
            return cls(str(refused))
        start = min(refused.at - 1, len(text))
        found = _MARKED.match(text, start)
        end = found.end() if found else start
        return cls(str(refused), text[:start], text[start:end], text[end:])

    @property
    def start(self) -> int:
        return _units(self.before)

    @property
    def end(self) -> int:
        return _units(self.before + self.marked)

    @property
    def shown(self) -> tuple[str, str, str]:
        """The place with what is around it."""
        before, after = self.before[-AROUND:], self.after[:AROUND]
        before = before if before == self.before else f"… {before}"
        return before, self.marked[:AROUND], after if after == self.after else f"{after} …"


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """`key` is the name of the text in its form, and what all its elements are called after."""

    key: str
    text: str
    rows: Rows
    mistake: Mistake | None = None
    why_not: str = ""  # the rows are grey, and this says why
    unfinished: int = 0

    @classmethod
    def of_text(cls, key: str, text: str, *, before: Rows | None = None) -> "Builder":
        """`before`: the rows that stand there, and stay, grey, where the text cannot be said by rows."""
        before = before or Rows("all", (BLANK,))
        try:
            rows = from_tree(search.understand(text))
        except SearchRefused as refused:
            why_not = _("The expression has a mistake.")
            return cls(key=key, text=text, rows=before, mistake=Mistake.of(refused, text), why_not=why_not)
        except NotRows as refused:
            return cls(key=key, text=text, rows=before, why_not=_(str(refused)))
        return cls(key=key, text=text, rows=rows if rows.rows else Rows("all", (BLANK,)))

    @classmethod
    def of_rows(cls, key: str, rows: Rows) -> "Builder":
        text, mistake = write(to_tree(finished(rows))), None
        try:
            search.understand(text)
        except SearchRefused as refused:
            mistake = Mistake.of(refused, text)
        return cls(key=key, text=text, rows=rows, mistake=mistake, unfinished=unfinished(rows))

    @property
    def left_out(self) -> str:
        says = ngettext(
            "{n} row has no value yet and is left out.", "{n} rows have no value yet and are left out.", self.unfinished
        )
        return says.format(n=self.unfinished)

    @property
    def is_large(self) -> bool:
        return sum(len(row.rows) if isinstance(row, Rows) else 1 for row in self.rows.rows) > MOST_AT_FIRST

    def context(self, new: str = "") -> dict[str, Any]:
        name, known = ADDRESSES[self.key], search.registry()
        return {
            "builder": self,
            "key": self.key,
            "fields_address": f"{reverse(f'portal:{name}-fields')}?v={search_rows.version(known)}",
            "translate_address": reverse(f"portal:{name}-translate"),
            "count_address": reverse(f"portal:{name}-count"),
            **search_rows.context(self.rows, known, new),
        }


ADDRESSES: Final = {"search": "devices-search", "criteria": "labels-criteria"}


def written(text: str) -> str:
    """As a text box means it; a form sends its lines otherwise."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def translate(key: str) -> Callable[[HttpRequest], HttpResponse]:
    """The view for the builder with this key."""

    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        given = request.POST
        rows = search_rows.posted(given, search.registry())
        if given.get("from") == "text":
            builder, new = Builder.of_text(key, written(given.get(key, "")), before=rows), ""
        else:
            rows, new = _changed(rows, given.get("do", ""), given.get("at", ""))
            builder = Builder.of_rows(key, rows)
        context = builder.context(new)
        part, at = given.get("part", ""), given.get("at", "")
        line = search_rows.find(context["lines"], at) if part in ("rest", "value") else None
        is_removed = given.get("do") == "remove" and not new  # the focus goes to what is there still
        context |= {"part": part, "line": line, "is_text_kept": given.get("from") == "text", "is_removed": is_removed}
        return render(request, "portal/search/answer.html", context)

    return view


@require_safe
def fields(request: HttpRequest) -> HttpResponse:
    """What the rows choose from.  The address changes with it, so browsers ask once."""
    known = search.registry()
    response = render(request, "portal/search/fields.html", {"fields": search_rows.fields(known)})
    if request.GET.get("v") == search_rows.version(known):
        response.headers["Cache-Control"] = f"private, max-age={KEPT}, immutable"
    return response


def count(key: str) -> Callable[[HttpRequest], HttpResponse]:
    """How many devices it finds, while it is built."""

    @require_POST
    def view(request: HttpRequest) -> HttpResponse:
        text = written(request.POST.get(key, ""))
        exclude_retired = key == "search" and "standing" in request.POST
        try:
            found = search.count(text, exclude_retired=exclude_retired, seconds=SECONDS)
        except SearchRefused as refused:
            return HttpResponse(escape(str(refused)))
        says = ngettext("{shown} device matches", "{shown} devices match", found.number)
        return HttpResponse(says.format(shown=found))

    return view


def _changed(rows: Rows, do: str, at: str) -> tuple[Rows, str]:
    """And the name of the row that is new."""
    place = _place(at)
    match do:
        case "add" if not place:
            return added(rows, BLANK), str(len(rows.rows))
        case "add" if place[0] < len(rows.rows):
            group = rows.rows[place[0]]
            inner = len(group.rows) if isinstance(group, Rows) else 0
            return added(rows, BLANK, place[0]), f"{place[0]}-{inner}"
        case "add-group":
            group_of_one = Rows("any" if rows.match == "all" else "all", (BLANK,))
            return added(rows, group_of_one), f"{len(rows.rows)}-0"
        case "remove" if place:
            rest = removed(rows, place)
            return (rest, "") if rest.rows else (Rows(rest.match, (BLANK,)), "0")
    return rows, ""


def _place(text: str) -> tuple[int, ...]:
    found = _PLACE.fullmatch(text)
    return tuple(int(number) for number in found.groups() if number) if found else ()


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
