"""A walk over BER before a parser sees it, so that depth and work are known to be bounded.

asn1crypto parses lazily and recursively; what it gets from here nests little, holds few elements, and has no length
that points outside.
"""

from epmm.wire.errors import WireError, edge

# An enrollment request has about 300 elements, 11 deep, all its certificates included.
DEEPEST = 32
MOST_ELEMENTS = 8192
# The longest object identifier in use has 19 bytes; decoding one takes time with the square of its length.
_LONGEST_IDENTIFIER = 64
# Four octets of length: 4 GB, more than any limit on messages.
_LONGEST_LENGTH = 4

_CONSTRUCTED, _LONG_TAG, _OBJECT_IDENTIFIER, _INDEFINITE = 0x20, 0x1F, 0x06, 0x80
_END_OF_CONTENTS = b"\0\0"


def check(raw: bytes) -> None:
    with edge(WireError, "ASN.1 ends too early"):
        _Walk(raw).contents(0, len(raw), DEEPEST)


class _Walk:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._left = MOST_ELEMENTS

    def contents(self, position: int, end: int, deepest: int) -> None:
        while position < end:
            position = self._element(position, end, deepest)

    def _element(self, position: int, end: int, deepest: int) -> int:
        """Where the next element starts."""
        self._left -= 1
        if self._left < 0 or deepest == 0:
            raise WireError("ASN.1 is nested too deeply or has too many elements")
        tag, first = self._raw[position], self._raw[position + 1]
        if tag & _LONG_TAG == _LONG_TAG:
            raise WireError("ASN.1 tag is too large")
        if first == _INDEFINITE:
            return self._indefinite(tag, position + 2, end, deepest)
        start, stop = self._definite(position + 1)
        if stop > end:
            raise WireError("ASN.1 length points outside")
        if tag & _CONSTRUCTED:
            self.contents(start, stop, deepest - 1)
        elif tag == _OBJECT_IDENTIFIER and stop - start > _LONGEST_IDENTIFIER:
            raise WireError("ASN.1 object identifier is too long")
        return stop

    def _indefinite(self, tag: int, position: int, end: int, deepest: int) -> int:
        """X.690, 8.1.3.6: the contents go on until two zero octets."""
        if not tag & _CONSTRUCTED:
            raise WireError("ASN.1 primitive of indefinite length")
        while self._raw[position : position + 2] != _END_OF_CONTENTS:
            position = self._element(position, end, deepest - 1)
        if position + 2 > end:
            raise WireError("ASN.1 length points outside")
        return position + 2

    def _definite(self, position: int) -> tuple[int, int]:
        """Where the contents start and stop, from the length at `position`."""
        first = self._raw[position]
        if first < _INDEFINITE:
            return position + 1, position + 1 + first
        size = first - _INDEFINITE
        if size > _LONGEST_LENGTH:
            raise WireError("ASN.1 length is too large")
        start = position + 1 + size
        return start, start + int.from_bytes(self._raw[position + 1 : start], "big")
