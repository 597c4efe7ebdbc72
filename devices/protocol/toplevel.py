"""The top level of a message and nothing below it: all that the door needs of any message, in microseconds.

Two readers, which agree with each other and with `plistlib`: a pattern for what is small and as Apple's writer writes
it, expat in constant memory and bounded time for the rest.
"""

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias
from xml.parsers import expat

from epmm.wire import binary_plist
from epmm.wire.errors import WireError, edge
from epmm.wire.plist import load_dict

# A string's text; None where the value is anything else.  Of a repeated key the last one counts, as for plistlib.
TopLevel: TypeAlias = Mapping[str, str | None]

MOST_KEYS: Final = 1000  # the longest results have a dozen
# Of what is passed over, more than any reader takes: a device whose answer is refused repeats it for ever, and gets no
# other command (protocol reference, 4.4).  What cannot be read is kept and set aside, and its command is done with.
MOST_PASSED_OVER: Final = 1 << 19  # elements: sixteen megabytes of real ones are fewer, and take half a second
DEEPEST_PASSED_OVER: Final = 1000  # each takes memory while it is open
SMALL: Final = 65_536  # bytes

# As Apple's writer writes, and without references.  Each piece is known by its first tag and what one gives back no
# other can take, so trying again is linear.
_SPACE: Final = "[ \t\r\n]*"
_TEXT: Final = r"[^<>&\0-\x08\x0b-\x1f\ufffe\uffff]*"
_LEAF: Final = (
    f"<(?:{'|'.join(f'{kind}>{_TEXT}</{kind}' for kind in ('string', 'integer', 'real', 'date', 'data'))}"
    "|true/|false/|dict/|array/|string/|data/)>"
)
_NESTED: Final = 3  # containers in each other, below the top level


def _value(nested: int) -> str:
    """Whether keys stand where they should is not looked at, as little as whether an integer is one."""
    if not nested:
        return _LEAF
    pairs = f"(?:(?:<key>{_TEXT}</key>{_SPACE})?{_value(nested - 1)}{_SPACE})*"
    return f"(?:{_LEAF}|<(?P<kind{nested}>dict|array)>{_SPACE}{pairs}</(?P=kind{nested})>)"


_BEGIN: Final = re.compile(
    rf'<\?xml version="1\.0" encoding="UTF-8"\?>{_SPACE}'
    r'(?:<!DOCTYPE plist PUBLIC "-//Apple(?: Computer)?//DTD PLIST 1\.0//EN" '
    rf'"https?://www\.apple\.com/DTDs/PropertyList-1\.0\.dtd">{_SPACE})?'
    rf'<plist version="1\.0">{_SPACE}<dict>{_SPACE}'
)
_PAIR: Final = re.compile(
    f"<key>({_TEXT})</key>{_SPACE}(?:<string>({_TEXT})</string>|(?!<string){_value(_NESTED)}){_SPACE}"
)
_END: Final = re.compile(f"</dict>{_SPACE}</plist>{_SPACE}")


def read_top_level(raw: bytes) -> TopLevel:
    if raw.startswith(binary_plist.MAGIC):
        return _top_of(load_dict(raw))
    read = _read_plain(raw) if len(raw) <= SMALL else None
    return _StreamReader().read(raw) if read is None else read


def _read_plain(raw: bytes) -> TopLevel | None:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return None
    found: dict[str, str | None] = {}
    part = _BEGIN.match(text)
    while part is not None:
        end = part.end()
        if part := _PAIR.match(text, end):
            found[part[1]] = part[2]
            if len(found) > MOST_KEYS:
                break
        elif _END.fullmatch(text, end):
            return found
    return None


def _top_of(message: Mapping[str, Any]) -> TopLevel:
    if len(message) > MOST_KEYS:
        raise WireError("too many keys")
    return {key: value if isinstance(value, str) else None for key, value in message.items()}


_WITH_TEXT: Final = ("key", "string")
_PLIST, _DICT, _TOP = 1, 2, 3  # depths


class _StreamReader:
    """What lies below the top level is passed over as it comes."""

    def __init__(self) -> None:
        self._depth = 0
        self._left = MOST_PASSED_OVER
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
        if self._depth > DEEPEST_PASSED_OVER or self._left < 0:
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
