"""A page as a browser without scripts sees it: its forms, its alerts, and where it may send what is typed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
from lxml import etree, html

CALLBACK_SCHEME = "apple-remotemanagement-user-login"
_CODE = re.compile(r"\b[A-Z]-\d{3}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    name: str
    kind: str
    purpose: str  # the last token of `autocomplete`
    value: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    action: httpx2.URL
    method: str
    hidden: tuple[tuple[str, str], ...] = field(repr=False)  # the state of the sign-in is among them
    fields: tuple[Field, ...]
    new_window: bool
    submittable: bool

    def purpose(self, *names: str) -> Field | None:
        return next((item for item in self.fields if item.purpose in names), None)

    @property
    def signs_in(self) -> bool:
        return self.purpose("current-password", "one-time-code") is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    address: httpx2.URL
    alert: str
    code: str
    text: str = field(repr=False)
    forms: tuple[Form, ...]


def read(address: httpx2.URL, body: bytes, charset: str, *, guesses: bool = False) -> Page:
    """With `guesses` a person tells from the looks what a field is for, where nothing says so."""
    parser = html.HTMLParser(encoding=charset, no_network=True)
    try:
        document: Any = html.document_fromstring(body, parser=parser)
    except (etree.LxmlError, ValueError, LookupError):
        return Page(address=address, alert="", code="", text="", forms=())
    alert = " ".join(_visible(element) for element in document.xpath("//*[@role='alert']")).strip()
    found = _CODE.search(alert)
    return Page(
        address=address,
        alert=alert,
        code=found[0] if found else "",
        text=_visible(document),
        forms=tuple(_form(address, element, guesses=guesses) for element in document.forms),
    )


def allows(policies: list[str], page: httpx2.URL, target: httpx2.URL) -> bool:
    """Whether every Content-Security-Policy lets a form of `page` send to `target` (CSP 3, `form-action`)."""
    return all(_allows(policy, page, target) for policy in policies)


def _allows(policy: str, page: httpx2.URL, target: httpx2.URL) -> bool:
    directives = {words[0].lower(): words[1:] for part in policy.split(";") if (words := part.split())}
    if "form-action" not in directives:  # it does not fall back to default-src
        return True
    return any(_matches(source.lower(), page, target) for source in directives["form-action"])


def _matches(source: str, page: httpx2.URL, target: httpx2.URL) -> bool:
    if source == "*":
        return target.scheme in {"http", "https"}
    if source == "'self'":
        return origin(page) == origin(target)
    if source.endswith(":"):
        return source == f"{target.scheme}:"
    return source.rstrip("/") == origin(target)


def origin(url: httpx2.URL) -> str:
    return f"{url.scheme}://{url.netloc.decode('ascii')}"


def _visible(element: Any) -> str:
    text = element.xpath(".//text()[not(ancestor::script or ancestor::style or ancestor::title or ancestor::noscript)]")
    return " ".join(" ".join(text).split())


def _form(address: httpx2.URL, form: Any, *, guesses: bool) -> Form:
    fields = tuple(_fields(form))
    return Form(
        action=_address(address, form.get("action") or ""),
        method=(form.get("method") or "get").lower(),
        hidden=tuple(_hidden(form)),
        fields=tuple(map(_guessed, fields)) if guesses else fields,
        new_window=form.get("target", "_self") not in {"", "_self"},
        submittable=bool(form.xpath(".//button[not(@type) or @type='submit'] | .//input[@type='submit']")),
    )


def _address(page: httpx2.URL, target: str) -> httpx2.URL:
    try:
        return page.join(target) if target else page
    except httpx2.InvalidURL:
        return httpx2.URL("about:invalid")  # as a browser has it: nothing goes there


def _hidden(form: Any) -> Iterator[tuple[str, str]]:
    """What goes back unseen: hidden fields, boxes that must be ticked, and the name of the first button."""
    for element in form.xpath(".//input[@name]"):
        kind = (element.get("type") or "text").lower()
        ticked = kind in {"checkbox", "radio"} and (element.get("checked") is not None or _is_required(element))
        if kind == "hidden" or ticked:
            yield element.get("name"), element.get("value", "on" if ticked else "")
    buttons = form.xpath(".//button[not(@type) or @type='submit'] | .//input[@type='submit']")
    if buttons and buttons[0].get("name"):
        yield buttons[0].get("name"), buttons[0].get("value", "")


def _fields(form: Any) -> Iterator[Field]:
    for element in form.xpath(".//input[@name]"):
        kind = (element.get("type") or "text").lower()
        if kind not in {"hidden", "checkbox", "radio", "submit", "button", "image", "reset", "file"}:
            yield Field(
                name=element.get("name"),
                kind=kind,
                purpose=(element.get("autocomplete") or "").lower().split(" ")[-1],
                value=element.get("value", ""),
                required=_is_required(element),
            )


def _guessed(item: Field) -> Field:
    looks = {"password": "current-password", "text": "username", "email": "username"}
    return item if item.purpose else replace(item, purpose=looks.get(item.kind, ""))


def _is_required(element: Any) -> bool:
    return element.get("required") is not None
