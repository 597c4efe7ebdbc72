"""Binary property lists (`bplist00`): an offset table at the end points to objects, which refer to each other.

Nothing in the format stops a list from containing itself, two lists from doubling each other thirty times, or a
thousand objects from sharing the same kilobytes.  So a container may be referred to once, as Apple's writer does, and
all objects together may not be larger than the file.
"""

import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from epmm.wire.errors import WireError, edge
from epmm.wire.limits import DEEPEST, MOST_ELEMENTS, bounded_integer

MAGIC = b"bplist00"
_TRAILER = struct.Struct(">6xBBQQQ")
# The high half of the first byte of an object says what it is; the low half counts, or is all ones.
_INTEGER, _DATA, _ASCII, _UTF16, _ARRAY, _DICT = 0x1, 0x4, 0x5, 0x6, 0xA, 0xD
_COUNT_FOLLOWS = 0xF
_EPOCH = datetime(2001, 1, 1, tzinfo=UTC)


def load(raw: bytes) -> Any:
    with edge(WireError, "not a property list"):
        return _Reader(raw).read()


class _Reader:
    def __init__(self, raw: bytes) -> None:
        offset_size, self._ref_size, count, self._top, table = _TRAILER.unpack(raw[-_TRAILER.size :])
        if len(MAGIC) > table or table + count * offset_size > len(raw) - _TRAILER.size:
            raise WireError("offset table outside the property list")
        if not (offset_size and self._ref_size):
            raise WireError("property list with empty references")
        self._raw = raw[:table]
        self._offsets = _integers(raw[table : table + count * offset_size], offset_size)
        self._left = table  # bytes that objects may still take
        self._elements_left = MOST_ELEMENTS
        self._seen: set[int] = set()
        self._scalars: dict[int, Any] = {}

    def read(self) -> Any:
        return self._value(self._top, DEEPEST)

    def _value(self, reference: int, deepest: int) -> Any:
        if reference in self._scalars:
            return self._scalars[reference]
        start = self._offsets[reference]
        token = self._raw[start]
        if token >> 4 in (_ARRAY, _DICT):
            if reference in self._seen:
                raise WireError("container referred to twice")
            if deepest == 0:
                raise WireError("property list is nested too deeply")
            self._seen.add(reference)
            return self._container(token, start, deepest - 1)
        value = self._scalars[reference] = self._scalar(token, start)
        return value

    def _container(self, token: int, start: int, deepest: int) -> dict[str, Any] | list[Any]:
        count, body = self._count(token, start)
        if token >> 4 == _ARRAY:
            return [self._value(item, deepest) for item in self._references(body, count)]
        references = self._references(body, 2 * count)
        pairs: dict[str, Any] = {}
        for key_reference, item in zip(references[:count], references[count:], strict=True):
            key = self._value(key_reference, deepest)
            if not isinstance(key, str):
                raise WireError("key is not a string")
            pairs[key] = self._value(item, deepest)
        return pairs

    def _scalar(self, token: int, start: int) -> Any:
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        kind = token >> 4
        if token in _FIXED or kind == _INTEGER:
            size, body = 1 << (token & 0xF), start + 1
        elif kind in _SIZED:
            count, body = self._count(token, start)
            size = count * (2 if kind == _UTF16 else 1)
        else:
            raise WireError("unknown object in a property list")
        return (_FIXED.get(token) or _SIZED[kind])(self._take(body, size))

    def _count(self, token: int, start: int) -> tuple[int, int]:
        """How many items an object has, and where they start: in the low half byte, or in an integer behind it."""
        if token & 0xF != _COUNT_FOLLOWS:
            return token & 0xF, start + 1
        size = 1 << (self._raw[start + 1] & 0x3)
        return int.from_bytes(self._take(start + 2, size), "big"), start + 2 + size

    def _references(self, body: int, count: int) -> list[int]:
        packed = self._take(body, count * self._ref_size)
        self._elements_left -= count
        if self._elements_left < 0:
            raise WireError("too many elements in a property list")
        return _integers(packed, self._ref_size)

    def _take(self, start: int, size: int) -> bytes:
        self._left -= size
        if self._left < 0 or start + size > len(self._raw):
            raise WireError("objects larger than the property list")
        return self._raw[start : start + size]


def _integers(packed: bytes, size: int) -> list[int]:
    return [int.from_bytes(packed[at : at + size], "big") for at in range(0, len(packed), size)]


def _integer(packed: bytes) -> int:
    # One, two and four bytes hold unsigned numbers, eight and sixteen signed ones.
    return bounded_integer(int.from_bytes(packed, "big", signed=len(packed) > 4))  # noqa: PLR2004 -- said above


def _date(packed: bytes) -> datetime:
    return _EPOCH + timedelta(seconds=struct.unpack(">d", packed)[0])


_CONSTANTS: dict[int, Any] = {0x08: False, 0x09: True}
_FIXED: dict[int, Callable[[bytes], Any]] = {
    0x22: lambda packed: struct.unpack(">f", packed)[0],
    0x23: lambda packed: struct.unpack(">d", packed)[0],
    0x33: _date,
}
_SIZED: dict[int, Callable[[bytes], Any]] = {
    _INTEGER: _integer,
    _DATA: bytes,
    _ASCII: lambda packed: packed.decode("ascii"),
    _UTF16: lambda packed: packed.decode("utf-16-be"),
}
