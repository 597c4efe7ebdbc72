"""What stands on a page: its links, its forms, and the dialogs for ticked rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

# What is typed into each search box: some are found in none, few, many or nearly all of the rows.
TYPED: Final = ("nosuchname", "user4321", "xcorp1", "user1", "@c", "e", "TEST0000A123", "iphone of person 77")
ALL_COLUMNS: Final = "all columns"
DATE: Final = "2026-01-01"
UNKNOWN: Final = "nothing-has-this"
LEFT_OUT: Final = frozenset({"format", "after", "before"})  # a file is no page


class Ask(NamedTuple):
    """`sent`: what a dialog is asked for with; none: a GET."""

    path: str
    sent: Mapping[str, Any] | None = None


class Answer(NamedTuple):
    status: int
    body: str


@dataclass(frozen=True, slots=True)
class Visit:
    page: str  # its name
    told: str  # what is special about it
    ask: Ask
    answer: Answer

    @property
    def is_page(self) -> bool:
        """No page: what leads elsewhere, is not meant to be opened, or is written down: it failed, or was refused."""
        return self.answer.status not in (302, 403, 405, 503)

    @property
    def size(self) -> int:
        return len(self.answer.body.encode())


@dataclass
class Form:
    action: str
    hidden: dict[str, str] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)  # of selects
    typed: dict[str, str] = field(default_factory=dict)  # names of inputs, and their kinds
    columns: list[str] = field(default_factory=list)
    buttons: list[tuple[str, str]] = field(default_factory=list)  # each sends the form with a value of its own


class Seen(HTMLParser):
    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.following = ""
        self._addresses: list[str] = []
        self._dialogs: list[str] = []
        self._ticked: list[str] = []
        self._forms: list[Form] = []
        self._form: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, pairs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in pairs}
        if given.get("rel") == "next":
            self.following = given["href"]
        elif tag == "a" and "download" not in given and "href" in given:
            self._addresses.append(given["href"])
        if "hx-get" in given:
            self._addresses.append(given["hx-get"])
        if "hx-post" in given and given.get("hx-include") == "#rows":
            self._dialogs.append(given["hx-post"])
        if tag == "form":
            is_asking = given.get("method", "get").lower() == "get" and "hx-post" not in given
            self._form = Form(given.get("action", "")) if is_asking else None
            self._forms += [self._form] if self._form else []
        self._field(tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None

    def _field(self, tag: str, given: Mapping[str, str]) -> None:
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "input" and name == "row":
            self._ticked.append(given.get("value", ""))
        elif self._form is None:
            return
        elif tag == "select":
            self._select = name
            self._form.choices[name] = []
        elif tag == "button" and name and "value" in given:
            self._form.buttons.append((name, given["value"]))
        elif tag == "option" and given.get("value") and self._select in self._form.choices:
            self._form.choices[self._select].append(given["value"])
        elif tag == "input" and kind == "checkbox" and not name and "value" in given:
            self._form.columns.append(given["value"])
        elif tag == "input" and name:
            (self._form.hidden if kind == "hidden" else self._form.typed)[name] = (
                given.get("value", "") if kind == "hidden" else kind
            )

    def links(self) -> Iterator[tuple[str, Ask]]:
        """Of the sizes that a page may have, the largest."""
        found = [(path, query_of(path)) for path in (urljoin(self.path, address) for address in self._addresses)]
        largest = max((int(query["size"]) for _path, query in found if "size" in query), default=0)
        for path, query in found:
            is_smaller = int(query.get("size", largest)) < largest
            if path.startswith("/") and not LEFT_OUT & query.keys() and not is_smaller:
                yield urlencode({name: value[:20] for name, value in query.items()}), Ask(path)
        for form in self._forms:
            for name, value in form.buttons:
                asked = {key: kept for key, kept in form.hidden.items() if kept} | {name: value}
                yield (
                    f"{name}={value}",
                    Ask(urljoin(self.path, form.action or urlsplit(self.path).path) + "?" + urlencode(asked)),
                )

    def asked(self) -> Iterator[tuple[str, Ask]]:
        """Each search and filter by itself, and all columns at once."""
        for form in self._forms:
            for name, value in self._values(form):
                asked = {key: kept for key, kept in form.hidden.items() if kept} | {name: value}
                path = urljoin(self.path, form.action or urlsplit(self.path).path) + "?" + urlencode(asked)
                yield ALL_COLUMNS if name == "columns" else f"{name} {value}", Ask(path)

    @staticmethod
    def _values(form: Form) -> Iterator[tuple[str, str]]:
        if form.columns:
            yield "columns", ",".join(form.columns)
        for name, kind in form.typed.items():
            texts = TYPED if kind == "search" else (DATE,) if kind == "date" else (UNKNOWN, "user1", "corp1.example")
            yield from ((name, text) for text in texts)
        for name, values in form.choices.items():
            yield from ((name, value) for value in (values[:1] + values[-1:]))

    def dialogs(self) -> Iterator[tuple[str, Ask]]:
        if self._ticked:
            for address in self._dialogs:
                yield f"dialog for {len(self._ticked)}", Ask(urljoin(self.path, address), {"row": self._ticked})


def read(visit: Visit) -> Seen:
    seen = Seen(visit.ask.path)
    if visit.answer.status == 200:  # noqa: PLR2004
        seen.feed(visit.answer.body)
    return seen


def query_of(path: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(path).query))
