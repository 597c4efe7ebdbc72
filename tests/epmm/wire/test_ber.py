"""What may reach the ASN.1 parser at all."""

import pytest

from epmm.wire.ber import DEEPEST, MOST_ELEMENTS, check
from epmm.wire.errors import WireError


def indefinite(depth: int) -> bytes:
    return b"\x30\x80" * depth + b"\0\0" * depth


def definite(depth: int) -> bytes:
    raw = b""
    for _ in range(depth):
        raw = b"\x30" + (bytes([len(raw)]) if len(raw) < 0x80 else b"\x82" + len(raw).to_bytes(2, "big")) + raw
    return raw


@pytest.mark.parametrize(
    "raw",
    [
        b"\x30\x00",
        b"\x30\x80\0\0",
        b"\x30\x80\x24\x80\x04\x01a\x04\x01b\0\0\0\0",
        b"\x30\x82\x00\x03\x02\x01\x05",
        definite(DEEPEST),
        indefinite(DEEPEST),
        b"\x30\x82\x10\x00" + b"\x05\0" * 2048,
    ],
)
def test_well_formed_passes(raw: bytes) -> None:
    check(raw)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\x30", "too early"),
        (b"\x30\x80", "too early"),
        (b"\x30\x80\0", "too early"),
        (b"\x30\x82\x01", "too early|outside"),
        (b"\x30\x01", "outside"),
        (b"\x30\x03\x02\x02\x05", "outside"),
        (b"\x30\x03\x30\x80\0\0", "outside"),  # the end of contents is outside of what contains it
        (b"\x30\x84\xff\xff\xff\xff", "outside"),
        (b"\x30\x85\x01\0\0\0\0", "length is too large"),
        (b"\x30\xff", "length is too large"),
        (b"\x04\x80\0\0", "primitive"),
        (b"\x3f\x81\x01\0", "tag"),
        (b"\x06\x41" + b"\x81" * 65, "identifier"),
        (definite(DEEPEST + 1), "deep"),
        (indefinite(DEEPEST + 1), "deep"),
        (b"\x30\x80" * 100_000, "deep"),
        (b"\x30\x84\x00\x00\x40\x02" + b"\x05\0" * (MOST_ELEMENTS + 1), "elements"),
    ],
)
def test_hostile_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        check(raw)
