"""The GET form, in the spellings that reach us."""

import secrets
from base64 import b64encode, encodebytes, urlsafe_b64encode
from contextlib import suppress
from urllib.parse import parse_qs, quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrollment.protocol.scep.transport import MAX_BYTES, decode_message
from epmm.wire.errors import WireError

# Its base64 has plus, slash and padding.
MESSAGE = bytes.fromhex("fbefbeffffff") + b"\x30\x82\x01"


def _spellings(raw: bytes) -> dict[str, str]:
    plain = b64encode(raw).decode()
    return {
        "plain": plain,
        "macOS, taken raw": plain.replace("=", "%3D"),
        "macOS, decoded as a form": parse_qs(f"message={plain.replace('=', '%3D')}")["message"][0],
        "escaped by the book, taken raw": quote(plain, safe=""),
        "escaped by the book, decoded": parse_qs(f"message={quote(plain, safe='')}")["message"][0],
        "escaped twice, decoded once": parse_qs(f"message={quote(quote(plain, safe=''), safe='')}")["message"][0],
        "URL-safe": urlsafe_b64encode(raw).decode(),
        "without padding": plain.rstrip("="),
        "in lines": encodebytes(raw).decode(),
        "in lines of CRLF, escaped": quote(encodebytes(raw).decode().replace("\n", "\r\n")),
    }


@pytest.mark.parametrize("spelling", _spellings(MESSAGE))
@pytest.mark.parametrize("length", [1, 2, 3])
def test_spelling(spelling: str, length: int) -> None:
    raw = MESSAGE + bytes(60) + bytes(length)

    assert "+" in b64encode(raw).decode()
    assert "/" in b64encode(raw).decode()
    assert decode_message(_spellings(raw)[spelling]) == raw


def test_largest_message() -> None:
    raw = secrets.token_bytes(MAX_BYTES)

    assert decode_message(quote(b64encode(raw).decode(), safe="")) == raw


@pytest.mark.parametrize(
    "message",
    [
        "",
        "=",
        "A",
        "AAAAA",
        "AA=AA",
        "A*==",
        "AAA\N{KELVIN SIGN}",
        "%FF%FE",
        "AAAA%",
        "AAAA%00",
        b64encode(bytes(MAX_BYTES + 1)).decode(),
        "A" * 4_000_000,
    ],
    ids=lambda message: message[:20],
)
def test_no_message(message: str) -> None:
    with pytest.raises(WireError):
        decode_message(message)


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_survive_a_form_decoder(raw: bytes) -> None:
    assert decode_message(b64encode(raw).decode().replace("+", " ")) == raw


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_bytes_or_refused(message: str) -> None:
    with suppress(WireError):
        assert decode_message(message)
