"""A fast reader for what devices put into `Mdm-Signature`: a detached SignedData with one signer and its certificate.

It knows this one shape, in DER or with lengths left open around it as devices do, and answers None to everything else,
which is then for `epmm.wire.cms` to read or refuse.  asn1crypto takes some 150 microseconds longer for the same; a busy
door does not have them.
"""

from collections.abc import Mapping
from typing import Final

from epmm.wire.cms import DATA, SignedMessage, Signer

_SEQUENCE, _SET, _INTEGER, _OCTETS, _NULL, _OBJECT, _CONTEXT_0 = 0x30, 0x31, 0x02, 0x04, 0x05, 0x06, 0xA0
_SIGNED_DATA: Final = bytes.fromhex("06092a864886f70d010702")
_DATA: Final = bytes.fromhex("06092a864886f70d010701")
_VERSION_1: Final = b"\x02\x01\x01"
_LONGEST: Final = 64 << 10
_MOST: Final = 16  # attributes, and values of one
_LONG_TAG, _INDEFINITE, _LONGEST_LENGTH, _UNKNOWN = 0x1F, 0x80, 4, -1


class _Other(Exception):
    """Not the shape that this reader knows."""


def read(raw: bytes) -> SignedMessage | None:
    if len(raw) > _LONGEST:
        return None
    try:
        return _message(raw)
    except (_Other, IndexError):
        return None


class _Reader:
    """Goes through the elements one by one (X.690, 8.1)."""

    __slots__ = ("_at", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw, self._at = raw, 0

    def enter(self, tag: int) -> int:
        """Step inside the next element; returns what `leave` and `more` want to know."""
        if self._raw[self._at] == tag and self._raw[self._at + 1] == _INDEFINITE:
            self._at += 2
            return _UNKNOWN
        start, end = self._bounds(tag)
        self._at = start
        return end

    def leave(self, end: int) -> None:
        """Its contents are over."""
        if self.more(end):
            raise _Other
        if end == _UNKNOWN:
            self._at += 2

    def more(self, end: int) -> bool:
        if end == _UNKNOWN:
            return self._raw[self._at : self._at + 2] != b"\0\0"
        if self._at > end:
            raise _Other
        return self._at < end

    def at(self, tag: int) -> bool:
        return self._raw[self._at] == tag

    def take(self, tag: int) -> bytes:
        """The next element, whole."""
        before, (_, self._at) = self._at, self._bounds(tag)
        return self._raw[before : self._at]

    def content(self, tag: int) -> bytes:
        start, self._at = self._bounds(tag)
        return self._raw[start : self._at]

    def any(self) -> bytes:
        return self.take(self._raw[self._at])

    def end(self) -> None:
        if self._at != len(self._raw):
            raise _Other

    def _bounds(self, tag: int) -> tuple[int, int]:
        raw, at = self._raw, self._at
        if raw[at] != tag or tag & _LONG_TAG == _LONG_TAG:
            raise _Other
        length, start = raw[at + 1], at + 2
        if length >= _INDEFINITE:  # the long form, which must be the shortest
            size = length - _INDEFINITE
            start += size
            length = int.from_bytes(raw[at + 2 : start], "big")
            if not 1 <= size <= _LONGEST_LENGTH or length < max(_INDEFINITE, 1 << 8 * (size - 1)):
                raise _Other
        if start + length > len(raw):
            raise _Other
        return start, start + length


def _message(raw: bytes) -> SignedMessage:
    reader = _Reader(raw)
    info = reader.enter(_SEQUENCE)
    if reader.take(_OBJECT) != _SIGNED_DATA:
        raise _Other
    explicit = reader.enter(_CONTEXT_0)
    signed = reader.enter(_SEQUENCE)
    if reader.take(_INTEGER) != _VERSION_1:
        raise _Other
    digests = reader.enter(_SET)
    _algorithm(reader)  # it stands with the signer, too
    reader.leave(digests)
    encapsulated = reader.enter(_SEQUENCE)
    if reader.take(_OBJECT) != _DATA:
        raise _Other
    reader.leave(encapsulated)
    certificates = reader.enter(_CONTEXT_0)
    certificate = reader.take(_SEQUENCE)
    reader.leave(certificates)
    infos = reader.enter(_SET)
    signer = _signer(reader, certificate)
    for element in (infos, signed, explicit, info):
        reader.leave(element)
    reader.end()
    return SignedMessage(content_type=DATA, content=None, certificates=(certificate,), signers=(signer,))


def _signer(reader: _Reader, certificate: bytes) -> Signer:
    info = reader.enter(_SEQUENCE)
    if reader.take(_INTEGER) != _VERSION_1:
        raise _Other
    named = reader.enter(_SEQUENCE)
    issuer_and_serial = reader.take(_SEQUENCE), reader.take(_INTEGER)
    reader.leave(named)
    digest_algorithm = _algorithm(reader)
    attributes = reader.content(_CONTEXT_0) if reader.at(_CONTEXT_0) else None
    signature_algorithm = _algorithm(reader)
    signature = reader.content(_OCTETS)
    reader.leave(info)
    return Signer(
        certificate=certificate if _issuer_and_serial(certificate) == issuer_and_serial else None,
        digest_algorithm=digest_algorithm,
        signature_algorithm=signature_algorithm,
        signature=signature,
        attributes=None if attributes is None else _attributes(attributes),
        signed_attributes=b"" if attributes is None else _set_of(attributes),
    )


def _algorithm(reader: _Reader) -> str:
    """Its parameters are absent or NULL (RFC 5754, 2 and 3)."""
    algorithm = reader.enter(_SEQUENCE)
    name = _dotted(reader.content(_OBJECT))
    if reader.more(algorithm) and reader.content(_NULL):
        raise _Other
    reader.leave(algorithm)
    return name


def _issuer_and_serial(certificate: bytes) -> tuple[bytes, bytes]:
    reader = _Reader(certificate)
    reader.enter(_SEQUENCE)
    reader.enter(_SEQUENCE)
    if reader.at(_CONTEXT_0):
        reader.take(_CONTEXT_0)
    serial = reader.take(_INTEGER)
    reader.take(_SEQUENCE)
    return reader.take(_SEQUENCE), serial


def _attributes(content: bytes) -> Mapping[str, tuple[bytes, ...]]:
    reader = _Reader(content)
    found: dict[str, tuple[bytes, ...]] = {}
    while reader.more(len(content)):
        attribute = reader.enter(_SEQUENCE)
        name, values = _dotted(reader.content(_OBJECT)), reader.enter(_SET)
        told = []
        while reader.more(values):
            told.append(reader.any())
        reader.leave(values)
        reader.leave(attribute)
        if name in found or len(found) == _MOST or len(told) > _MOST:
            raise _Other
        found[name] = tuple(told)
    return found


def _set_of(contents: bytes) -> bytes:
    """RFC 5652, 5.4: what was signed is the attributes as a SET OF."""
    size = len(contents)
    if size < _INDEFINITE:  # the short form
        return bytes((_SET, size)) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((_SET, _INDEFINITE | len(length))) + length + contents


def _dotted(content: bytes) -> str:
    """X.690, 8.19; names of another length than those in use are for the other reader."""
    if not 2 < len(content) < 16 or content[-1] & 0x80:  # noqa: PLR2004 - shorter than any algorithm, longer than any
        raise _Other
    first = content[0]
    parts, value = [*divmod(first, 40)], 0
    if first >= 0x78:  # noqa: PLR2004 - three and more as a first arc do not exist, and 2.40 and above are not in use
        raise _Other
    for octet in content[1:]:
        if value == 0 and octet == _INDEFINITE:  # not the shortest form
            raise _Other
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            parts.append(value)
            value = 0
    return ".".join(map(str, parts))
