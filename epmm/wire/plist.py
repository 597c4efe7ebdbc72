"""Property lists at the edge: hostile bytes in, plain values out, one error.

`plistlib` writes; it does not read what strangers send.  Its XML reader feeds expat in pieces of two kilobytes, so one
comment of four megabytes costs eight seconds, and its binary reader copies overlapping objects until memory is full.

What `load_dict` returns is a tree of exactly `dict`, `list`, `str`, `int`, `float`, `bool`, `bytes` and aware
`datetime`: never deeper than `DEEPEST`, never more values than bytes came in, integers within 64 bits.
"""

import plistlib
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any, TypeVar, cast

from epmm.wire import binary_plist, xml_plist
from epmm.wire.errors import WireError
from epmm.wire.limits import DEEPEST

MAX_BYTES = 1 << 20
LONGEST_TEXT = 1024
# JSON readers, PostgreSQL's among them, keep integers exact up to here; a property list may hold an unsigned one.
_INT64 = range(-(1 << 63), 1 << 63)
_NO_CHARACTERS = ("\ufffe".encode(), "\uffff".encode())  # XML 1.0, section 2.2; `plistlib` refuses the controls alone

T = TypeVar("T")


def load_dict(raw: bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    if len(raw) > max_bytes:
        raise WireError("property list is too large")
    value = binary_plist.load(raw) if raw.startswith(binary_plist.MAGIC) else xml_plist.load(raw)
    if not isinstance(value, dict):
        raise WireError("property list is not a dictionary")
    return value


def dump(value: Mapping[str, Any]) -> bytes:
    """XML in the order of `value`.  Dates must be UTC: the format knows no other zone.

    Raises TypeError, ValueError or OverflowError for what has no form in it.
    """
    raw = plistlib.dumps(value, fmt=plistlib.FMT_XML, sort_keys=False)
    if any(character in raw for character in _NO_CHARACTERS):
        raise ValueError("a character that XML does not have")
    return raw


def required(source: Mapping[str, Any], key: str, kind: type[T], *, longest: int = LONGEST_TEXT) -> T:
    """The value of `key`; its type must be `kind` exactly, for a boolean is no integer here.

    `longest` bounds text, in characters.  An integer stands for a float as it does for Apple's own readers.
    """
    value: Any = source.get(key)
    if type(value) is not kind:
        if kind is float and type(value) is int:
            return cast("T", float(value))
        raise WireError(f"{key}: expected {kind.__name__}")
    if isinstance(value, str):
        if len(value) > longest:
            raise WireError(f"{key}: too long")
        if _clean(value) != value:
            raise WireError(f"{key}: unusable characters")
    elif isinstance(value, int) and value not in _INT64:
        raise WireError(f"{key}: out of range")
    return value


def optional(source: Mapping[str, Any], key: str, kind: type[T], *, longest: int = LONGEST_TEXT) -> T | None:
    """As `required`, but None when the key is absent; a present value of another type is still refused."""
    return required(source, key, kind, longest=longest) if key in source else None


def to_json(value: Any, *, deepest: int = DEEPEST) -> Any:
    """`value` for a JSON column: data as base64, dates as ISO 8601 with Z, text without what PostgreSQL cannot hold."""
    kind = type(value)  # of most values it is one of these exactly, and a chain of `isinstance` takes as long again
    if kind is str:
        return _clean(value)
    if kind is bool:
        return value
    if deepest < 0:
        raise WireError("value is nested too deeply")
    if kind is dict:
        return {
            _clean(str(key)): item if type(item) is bool else to_json(item, deepest=deepest - 1)
            for key, item in value.items()
        }
    if kind is list or kind is tuple:
        return [to_json(item, deepest=deepest - 1) for item in value]
    if kind is bytes:
        return b64encode(value).decode("ascii")
    return _iso(value) if kind is datetime else _plain(value)


def _clean(text: str) -> str:
    """Without NUL, and lone surrogates replaced: PostgreSQL's text and jsonb refuse both."""
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")


def _plain(value: Any) -> Any:
    """Numbers that JSON has no room or no word for become text."""
    match value:
        case bool() | None:
            return value
        case int():
            return value if value in _INT64 else str(value)
        case float():
            return value if isfinite(value) else str(value)
    raise WireError("value has no JSON form")


def _iso(value: datetime) -> str:
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
