"""XML property lists: linear time, bounded depth, no entities.

Two readers.  A small document of Apple's becomes a tree, whose values are taken in half the time; expat reads
whatever is larger, unusual or wrong in one pass, and has the last word.
"""

import re
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from xml.parsers import expat

from epmm.wire import xml_tree
from epmm.wire.errors import WireError, edge
from epmm.wire.limits import DEEPEST, MOST_ELEMENTS, bounded_integer

_PROLOG = re.compile(
    rb'<\?xml version="1\.0" encoding="UTF-8"\?>\s*'
    rb'(?:<!DOCTYPE plist PUBLIC "-//Apple(?: Computer)?//DTD PLIST 1\.0//EN" '
    rb'"https?://www\.apple\.com/DTDs/PropertyList-1\.0\.dtd">\s*)?<plist version="1\.0">'
)
_NO_TAG = re.compile(rb"<(?!/?(?:key|string|dict|array|integer|real|true|false|date|data|plist)/?>)")
_INTEGER = re.compile(r"\s*([+-]?)(0[xX])?([0-9a-fA-F]{1,20})\s*", re.ASCII)


def load(raw: bytes) -> Any:
    if len(raw) <= xml_tree.LARGEST and _is_plain(raw):
        with suppress(Exception):  # expat says what is wrong, or that nothing is
            return _value_of_tree(raw)
    with edge(WireError, "not a property list"):
        return _Reader().read(raw)


def _is_plain(raw: bytes) -> bool:
    """As Apple's writer writes it: tags and text alone, of which no two parsers think differently."""
    prolog = _PROLOG.match(raw)
    return prolog is not None and _NO_TAG.search(raw, prolog.end()) is None


def _value_of_tree(raw: bytes) -> Any:
    root = xml_tree.root_of(raw)
    (top,) = root
    if root.tag != "plist":
        raise WireError("root element is not plist")
    return _value(top, DEEPEST)


def _value(element: xml_tree.Element, deepest: int) -> Any:
    tag = element.tag
    if tag in _LEAVES:
        return _LEAVES[tag](_text(element))
    if deepest == 0:
        raise WireError("property list is nested too deeply")
    if tag == "array":
        return [_value(item, deepest - 1) for item in element]
    if tag != "dict":
        raise WireError("unknown element in a property list")
    children, pairs = iter(element), {}
    for key in children:
        if key.tag != "key":
            raise WireError("value without a key")
        pairs[_text(key)] = _value(next(children), deepest - 1)
    return pairs


def _text(leaf: xml_tree.Element) -> str:
    if len(leaf):  # an element, or a reference that was not resolved
        raise WireError("element inside a value")
    return leaf.text or ""


class _Reader:
    """What is being read: the containers still open, the key that waits for its value, the text of the open leaf."""

    def __init__(self) -> None:
        self._root: list[Any] = []
        self._open: list[dict[str, Any] | list[Any]] = []
        self._key: str | None = None
        self._leaf: str | None = None
        self._text: list[str] = []
        self._inside_plist = False
        self._left = MOST_ELEMENTS

    def read(self, raw: bytes) -> Any:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text_of_leaf
        parser.EntityDeclHandler = _refuse_entity
        # Apple's DOCTYPE names an external subset, so expat would pass over an undefined entity in silence.
        parser.SkippedEntityHandler = _refuse_entity
        parser.Parse(raw, True)
        if not self._root:
            raise WireError("property list is empty")
        return self._root[0]

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._left -= 1
        if self._left < 0:
            raise WireError("too many elements in a property list")
        if self._leaf is not None:
            raise WireError("element inside a value")
        if not self._inside_plist:
            if name != "plist":
                raise WireError("root element is not plist")
            self._inside_plist = True
        elif name in _CONTAINERS:
            self._enter(_CONTAINERS[name]())
        elif name == "key" or name in _LEAVES:
            self._leaf, self._text = name, []
        else:
            raise WireError("unknown element in a property list")

    def _end(self, name: str) -> None:
        if name in _CONTAINERS:
            if self._key is not None:
                raise WireError("key without a value")
            self._open.pop()
        elif name == "key":
            self._set_key("".join(self._text))
        elif name in _LEAVES:
            self._add(_LEAVES[name]("".join(self._text)))
        self._leaf = None

    def _text_of_leaf(self, text: str) -> None:
        if self._leaf is not None:
            self._text.append(text)

    def _enter(self, container: dict[str, Any] | list[Any]) -> None:
        if len(self._open) >= DEEPEST:
            raise WireError("property list is nested too deeply")
        self._add(container)
        self._open.append(container)

    def _set_key(self, key: str) -> None:
        if self._key is not None or not self._open or not isinstance(self._open[-1], dict):
            raise WireError("key out of place")
        self._key = key

    def _add(self, value: Any) -> None:
        if not self._open:
            if self._root:
                raise WireError("more than one value in a property list")
            self._root.append(value)
            return
        match self._open[-1]:
            case list() as items:
                items.append(value)
            case dict() as pairs:
                if self._key is None:
                    raise WireError("value without a key")
                pairs[self._key] = value
                self._key = None


def _refuse_entity(*_declaration: object) -> None:
    raise WireError("entities are not allowed in a property list")


def _integer(text: str) -> int:
    found = _INTEGER.fullmatch(text)
    if found is None:
        raise WireError("not an integer")
    sign, prefix, digits = found.groups()
    return bounded_integer(int(sign + digits, 16 if prefix else 10))


def _date(text: str) -> datetime:
    return datetime.strptime(text.strip(), "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


_CONTAINERS: dict[str, type[dict[str, Any]] | type[list[Any]]] = {"dict": dict, "array": list}
_LEAVES: dict[str, Callable[[str], Any]] = {
    "string": str,
    "integer": _integer,
    "real": float,
    "true": lambda _text: True,
    "false": lambda _text: False,
    "date": _date,
    "data": b64decode,
}
