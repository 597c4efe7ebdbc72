"""The top level of a message and nothing below it: all that the door needs of any message, in microseconds.

Three readers, which agree with each other and with `plistlib`: a pattern for the flat messages (Idle and most
acknowledgements), all values of what is small, expat in constant memory and bounded time for the rest.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from xml.parsers import expat

from epmm.wire import binary_plist, xml_plist
from epmm.wire.errors import WireError, edge
from epmm.wire.limits import DEEPEST, MOST_ELEMENTS
from epmm.wire.plist import load_dict

# A string's text; None where the value is anything else.  Of a repeated key the last one counts, as for plistlib.
TopLevel: TypeAlias = Mapping[str, str | None]

MOST_KEYS: Final = 1000  # the longest results have a dozen
SMALL: Final = 65_536  # bytes

# The whole document or nothing: ASCII text without references, comments or `>` (and so without `]]>`).  What one part
# gives back no other can take, so trying again is linear.  A possessive repeat would be plainer; Python 3.11.2 gets
# those wrong.
_SPACE: Final = "[ \t\r\n]*"
_TEXT: Final = "([\t\n !-%'-;=?-~]*)"
_PAIR: Final = re.compile(f"<key>{_TEXT}</key>{_SPACE}<string>{_TEXT}</string>{_SPACE}")
_FLAT: Final = re.compile(
    rf'<\?xml version="1\.0" encoding="UTF-8"\?>{_SPACE}'
    r'(?:<!DOCTYPE plist PUBLIC "-//Apple(?: Computer)?//DTD PLIST 1\.0//EN" '
    rf'"https?://www\.apple\.com/DTDs/PropertyList-1\.0\.dtd">{_SPACE})?'
    rf'<plist version="1\.0">{_SPACE}<dict>{_SPACE}'
    rf"(?P<pairs>(?:{_PAIR.pattern.replace('(', '(?:')})+)"
    rf"</dict>{_SPACE}</plist>{_SPACE}"
)


def read_top_level(raw: bytes) -> TopLevel:
    if raw.startswith(binary_plist.MAGIC):
        return _top_of(load_dict(raw))
    read = None
    if len(raw) <= SMALL:
        read = _read_flat(raw) or _read_plain(raw)
    return _StreamReader().read(raw) if read is None else read


def _read_flat(raw: bytes) -> TopLevel | None:
    try:
        document = _FLAT.fullmatch(raw.decode("ascii"))
    except UnicodeDecodeError:
        return None
    return dict(_PAIR.findall(document["pairs"])) if document else None


def _read_plain(raw: bytes) -> TopLevel | None:
    message = xml_plist.load_plain(raw)
    return _top_of(message) if isinstance(message, dict) else None


def _top_of(message: Mapping[str, Any]) -> TopLevel:
    if len(message) > MOST_KEYS:
        raise WireError("too many keys")
    return {key: value if isinstance(value, str) else None for key, value in message.items()}


_WITH_TEXT: Final = ("key", "string")
_PLIST, _DICT, _TOP = 1, 2, 3  # depths
_DEEPEST: Final = _DICT + DEEPEST  # of a value in the innermost container


class _StreamReader:
    """What lies below the top level is passed over as it comes."""

    def __init__(self) -> None:
        self._depth = 0
        self._left = MOST_ELEMENTS
        self._pairs = _Pairs()
        self._text: list[str] = []
        self._has_dict = False
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = _refuse_entity
        # Apple's DOCTYPE names an external subset, so expat would pass over an undefined entity in silence.
        self._parser.SkippedEntityHandler = _refuse_entity

    def read(self, raw: bytes) -> TopLevel:
        with edge(WireError, "not a property list"):
            self._parser.Parse(raw, True)
        if not self._has_dict:
            raise WireError("property list is not a dictionary")
        return self._pairs.complete()

    def _start(self, name: str, _attributes: dict[str, str]) -> None:
        self._depth += 1
        self._left -= 1
        if self._depth > _DEEPEST or self._left < 0:
            raise WireError("property list is nested too deeply or has too many elements")
        if self._depth == _TOP and name in _WITH_TEXT:
            self._text = []
            self._parser.CharacterDataHandler = self._text.append
        elif self._depth > _TOP:
            if self._parser.CharacterDataHandler is not None:
                raise WireError("element inside a value")
        elif self._depth == _DICT:
            if name != "dict" or self._has_dict:
                raise WireError("property list is not a dictionary")
            self._has_dict = True
        elif self._depth == _PLIST and name != "plist":
            raise WireError("root element is not plist")

    def _end(self, name: str) -> None:
        if self._depth == _TOP:
            self._parser.CharacterDataHandler = None
            self._pairs.add(name, "".join(self._text))
        self._depth -= 1


class _Pairs:
    def __init__(self) -> None:
        self._found: dict[str, str | None] = {}
        self._key: str | None = None

    def add(self, tag: str, text: str) -> None:
        if (tag == "key") != (self._key is None):
            raise WireError("keys and values do not alternate")
        if self._key is None:
            self._key = text
            return
        self._found[self._key] = text if tag == "string" else None
        self._key = None
        if len(self._found) > MOST_KEYS:
            raise WireError("too many keys")

    def complete(self) -> TopLevel:
        if self._key is not None:
            raise WireError("key without a value")
        return self._found


def _refuse_entity(*_declaration: Any) -> None:
    raise WireError("entities are not allowed in a property list")
