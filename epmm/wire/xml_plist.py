"""XML property lists: linear time, bounded depth, no entities.

Two readers.  What is as Apple's writer writes it is taken apart by one pattern, in a third of the time; expat reads
whatever is larger, unusual or wrong, and has the last word.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias
from xml.parsers import expat

from epmm.wire.errors import WireError, edge
from epmm.wire.limits import DEEPEST, MOST_ELEMENTS, bounded_integer

LARGEST: Final = 1 << 20  # bytes: what is larger need not stand in memory twice
_SPACE: Final = "[ \t\r\n]*"
# of which no two parsers think differently: no markup but references, no carriage return, no character XML has not
_TEXT: Final = r"([^<>\0-\x08\x0b-\x1f\ufffe\uffff]*)"
_PROLOG: Final = re.compile(
    rf'<\?xml version="1\.0" encoding="UTF-8"\?>{_SPACE}'
    r'(?:<!DOCTYPE plist PUBLIC "-//Apple(?: Computer)?//DTD PLIST 1\.0//EN" '
    rf'"https?://www\.apple\.com/DTDs/PropertyList-1\.0\.dtd">{_SPACE})?<plist version="1\.0">'
)
_END: Final = re.compile(f"{_SPACE}</plist>{_SPACE}")
# Perhaps a key, and what follows it: a leaf, or a container that begins or ends.  No space comes first: each place of a
# long one would be a beginning, and read to its end.
_PIECE: Final = re.compile(
    f"(?:<key>{_TEXT}</key>{_SPACE})?"
    rf"<(?:(string|integer|real|date|data)>{_TEXT}</\2>|"
    f"(dict|array|/dict|/array|true/|false/|dict/|array/|string/|data/)>){_SPACE}"
)
_REFERENCES: Final = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_REFERENCE: Final = re.compile(f"&(?:({'|'.join(_REFERENCES)});)?")
_INTEGER = re.compile(r"\s*([+-]?)(0[xX])?([0-9a-fA-F]{1,20})\s*", re.ASCII)

Piece: TypeAlias = "tuple[str | None, str | None, str | None, str | None]"  # key; leaf and its text, or a tag


def load(raw: bytes) -> Any:
    plain = load_plain(raw)
    if plain is not None:
        return plain
    with edge(WireError, "not a property list"):
        return _Reader().read(raw)


def load_plain(raw: bytes) -> Any:
    """None where it is not as Apple's writer writes: that may be right or wrong."""
    if len(raw) <= LARGEST:
        with suppress(Exception):  # expat says what is wrong, or that nothing is
            return _value(_pieces(raw.decode()))
    return None


def _pieces(text: str) -> Iterable[Piece]:
    """Raises WireError where something else stands between them."""
    prolog, end = _PROLOG.match(text), text.rfind("</plist>")
    if prolog is None or _END.fullmatch(text, end) is None:
        raise WireError("not plain")
    between, *found = _PIECE.split(text[prolog.end() : end])
    if "".join((between, *found[4::5])).strip(" \t\r\n"):
        raise WireError("not plain")
    if "&" in text:
        found = [_resolved(each) if each and "&" in each else each for each in found]
    return zip(found[::5], found[1::5], found[2::5], found[3::5], strict=True)


def _resolved(text: str) -> str:
    return _REFERENCE.sub(lambda found: _REFERENCES[found[1]], text)  # KeyError of None for any other


def _value(pieces: Iterable[Piece]) -> Any:
    root: list[Any] = []
    here: Any = root  # a list, or a dictionary, which take what they are given or raise
    around: list[Any] = []
    for key, leaf, text, tag in pieces:
        if leaf is not None:
            value: Any = text if leaf == "string" else _LEAVES[leaf](text or "")
        elif tag in _ENDS:
            _check_end(tag, key, here)
            here = around.pop()
            continue
        else:
            value = _BEGINNINGS[tag or ""]()
            if len(around) >= DEEPEST and isinstance(value, dict | list):
                raise WireError("nested too deeply")
        if key is None:
            here.append(value)
        else:
            here[key] = value
        if leaf is None and tag in _CONTAINERS:
            around.append(here)
            here = value
    if around:
        raise WireError("left open")
    (top,) = root
    return top


def _check_end(tag: str | None, key: str | None, here: object) -> None:
    if key is not None or type(here) is not _ENDS[tag]:
        raise WireError("out of place")


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


_CONTAINERS: Final[dict[str | None, type[dict[str, Any]] | type[list[Any]]]] = {"dict": dict, "array": list}
_ENDS: Final[dict[str | None, type]] = {"/dict": dict, "/array": list}
_LEAVES: Final[dict[str, Callable[[str], Any]]] = {
    "string": str,
    "integer": _integer,
    "real": float,
    "true": lambda _text: True,
    "false": lambda _text: False,
    "date": _date,
    "data": b64decode,
}
_BEGINNINGS: Final[dict[str, Callable[[], Any]]] = {
    "dict": dict,
    "array": list,
    "true/": lambda: True,
    "false/": lambda: False,
    "dict/": dict,
    "array/": list,
    "string/": str,
    "data/": bytes,
}
