"""Two readers of one format: whenever the first answers it is right, and both agree with `plistlib`."""

import plistlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.protocol import toplevel
from devices.protocol.toplevel import DEEPEST_PASSED_OVER, MOST_KEYS, SMALL, TopLevel, read_top_level
from epmm.wire.errors import WireError
from epmm.wire.limits import DEEPEST, MOST_ELEMENTS
from epmm.wire.plist import load_dict

VECTORS = Path(__file__).parents[2] / "vectors"
MESSAGES = sorted([*VECTORS.glob("examples/c*-*.plist"), *VECTORS.glob("nanomdm/*.plist")])
APPLE = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" '
    b'"http://www.apple.com/DTDs/PropertyList-1.0.dtd">\n<plist version="1.0">\n<dict>\n%s</dict>\n</plist>\n'
)

PLAIN = toplevel._read_plain


def stream(raw: bytes) -> TopLevel:
    return toplevel._StreamReader().read(raw)


def expected(raw: bytes) -> TopLevel:
    parsed = plistlib.loads(raw)
    return {key: value if isinstance(value, str) else None for key, value in parsed.items()}


def check_fast(raw: bytes) -> None:
    """Of values that are not looked at, `plistlib` may say that they are wrong."""
    if (fast := PLAIN(raw)) is None:
        return
    assert fast == stream(raw)
    with suppress(plistlib.InvalidFileException, ValueError, ArithmeticError, AttributeError):
        assert fast == expected(raw)


@pytest.mark.parametrize("path", MESSAGES, ids=lambda path: path.name)
def test_messages_of_devices_are_read_by_every_reader(path: Path) -> None:
    raw = path.read_bytes()

    assert read_top_level(raw) == stream(raw) == expected(raw)
    check_fast(raw)


@pytest.mark.parametrize(
    "name",
    [
        "examples/command-idle-adde.plist",
        "nanomdm/DeviceInformation.1.plist",
        "examples/command-result-acknowledged.plist",
    ],
)
def test_what_devices_say_most_takes_the_fast_path(name: str) -> None:
    assert PLAIN((VECTORS / name).read_bytes()) is not None


def test_values_in_containers_in_containers_take_it_too() -> None:
    plan = {"IMEI": "35", "IsDataPreferred": True, "Labels": []}
    raw = plistlib.dumps({"Status": "Acknowledged", "QueryResponses": {"ServiceSubscriptions": [plan, plan]}})

    assert PLAIN(raw) == {"Status": "Acknowledged", "QueryResponses": None}


characters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff")
texts = st.text(characters | st.sampled_from("\t\n <>&]'\""), max_size=20)
leaves = st.one_of(
    texts, st.booleans(), st.integers(-(2**40), 2**40), st.binary(max_size=50), st.floats(allow_nan=False)
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3))


@settings(deadline=None)
@given(st.dictionaries(texts, values, max_size=6))
def test_what_plistlib_writes_every_reader_reads(message: dict[str, Any]) -> None:
    raw = plistlib.dumps(message)

    assert read_top_level(raw) == stream(raw) == expected(raw)
    assert PLAIN(raw) in (None, expected(raw))


@pytest.mark.parametrize(
    "inside",
    [
        "<array><string/></dict>",
        "<array><string/></array></array>",
        "<array><key>A</key></array>",
        "<dict><key>A</key></dict>",
        "<string>a</string><string>b</string>",
        "<integer>1</real>",
        "<array><integer>1</real></array>",
        "<dict>text</dict>",
        "<array><string>a & b</string></array>",
    ],
)
def test_what_is_not_well_formed_or_has_no_value_is_for_the_other_reader(inside: str) -> None:
    assert PLAIN(APPLE % f"<key>A</key>{inside}".encode()) is None


@pytest.mark.parametrize("piece", ["<dict>", "<array>", "<key>a</key>", "<string>a</string>", " ", "<true/>", "<"])
@pytest.mark.parametrize("before", ["", "<key>a</key>", "<key>a</key><array>", "<key>a</key><dict><key>b</key><array>"])
def test_nothing_makes_the_pattern_slow(piece: str, before: str) -> None:
    """What takes more than linear time takes minutes here, and ends the run."""
    raw = APPLE % (before + piece * (SMALL // len(piece))).encode()

    assert not PLAIN(raw)


# Pieces near the edges of the pattern: what it must pass on to the others, and what it may not mistake.
TEXTS = ["UDID", "Idle", " ", "\n", "\t", "\r\n", "]]>", ">", "=", "ü", "\x0c", "\0", "&amp;", "&#65;", "&x;"]
TAGS = ["</string>", "<string>", "</key>", "<key>", "<string/>", "<true/>", "</dict>", "<!-- -->", "<![CDATA[<]]>"]
PIECES = st.sampled_from(TEXTS) | st.sampled_from(TAGS)
PAIRS = st.lists(st.tuples(st.lists(PIECES, max_size=3), st.lists(PIECES, max_size=3)), max_size=4)


@settings(deadline=None)
@given(PAIRS, st.lists(PIECES, max_size=2))
def test_whatever_the_fast_path_answers_plistlib_answers(
    pairs: list[tuple[list[str], list[str]]], tail: list[str]
) -> None:
    written = "".join(f"<key>{''.join(key)}</key><string>{''.join(value)}</string>" for key, value in pairs)
    raw = APPLE % (written + "".join(tail)).encode()

    check_fast(raw)


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(0, 400), st.integers(0, 12))
def test_mutilated_messages_raise_one_error(noise: bytes, at: int, cut: int) -> None:
    idle = (VECTORS / "examples/command-idle-adde.plist").read_bytes()
    raw = idle[:at] + noise + idle[at + cut :]

    for read in (read_top_level, stream):
        with suppress(WireError):  # and nothing else
            read(raw)
    check_fast(raw)


def test_a_pair_left_open_is_not_plain() -> None:
    """Python 3.11.2 says so of a possessive repeat."""
    assert PLAIN(APPLE % b"<key></key><string></string><key>") is None


def test_of_a_repeated_key_the_last_one_counts() -> None:
    raw = APPLE % b"<key>A</key><string>1</string><key>A</key><string>2</string>"

    assert PLAIN(raw) == stream(raw) == {"A": "2"}


def test_a_value_that_is_no_string_hides_an_earlier_one() -> None:
    raw = APPLE % b"<key>A</key><string>1</string><key>A</key><integer>2</integer>"

    assert PLAIN(raw) == stream(raw) == {"A": None}


def test_more_keys_than_any_message_has_are_refused_however_they_are_written() -> None:
    pairs = b"".join(b"<key>%d</key><true/>" % number for number in range(MOST_KEYS + 1))

    for raw in (APPLE % pairs, plistlib.dumps({str(n): n for n in range(MOST_KEYS + 1)}, fmt=plistlib.FMT_BINARY)):
        with pytest.raises(WireError, match="too many keys"):
            read_top_level(raw)


def test_a_large_message_is_read_as_it_comes() -> None:
    items = b"<dict><key>Status</key><string>inner</string></dict>" * (SMALL // 20)
    raw = APPLE % (b"<key>Status</key><string>Idle</string><key>List</key><array>" + items + b"</array>")

    assert read_top_level(raw) == {"Status": "Idle", "List": None}


def listing(inside: bytes) -> bytes:
    return APPLE % (b"<key>Status</key><string>Idle</string><key>List</key>" + inside)


def test_what_is_more_than_anybody_reads_later_is_passed_over_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = listing(b"<array>" + b"<true/>" * MOST_ELEMENTS + b"</array>")

    assert read_top_level(raw) == {"Status": "Idle", "List": None}
    with pytest.raises(WireError, match="too many"):
        load_dict(raw, max_bytes=len(raw))
    monkeypatch.setattr(toplevel, "MOST_PASSED_OVER", MOST_ELEMENTS)
    with pytest.raises(WireError, match="too many"):
        read_top_level(raw)


@pytest.mark.parametrize("more", [b"", b" " * SMALL], ids=["small", "large"])
def test_what_is_nested_deeper_than_anybody_reads_later_is_passed_over_within_bounds(more: bytes) -> None:
    def nested(depth: int) -> bytes:
        return listing(b"<array>" * depth + b"<string/>" + b"</array>" * depth + more)

    assert load_dict(nested(DEEPEST - 1))["Status"] == "Idle"
    with pytest.raises(WireError, match="nested"):
        load_dict(nested(DEEPEST))
    for depth in (DEEPEST - 1, DEEPEST, DEEPEST_PASSED_OVER - 3):
        assert read_top_level(nested(depth))["Status"] == "Idle"
    with pytest.raises(WireError, match="nested"):
        read_top_level(nested(DEEPEST_PASSED_OVER))


def test_a_binary_property_list_is_one_too() -> None:
    raw = plistlib.dumps({"Status": "Idle", "Number": 1}, fmt=plistlib.FMT_BINARY)

    assert read_top_level(raw) == {"Status": "Idle", "Number": None}


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"<plist/>",
        b"<plist><array/></plist>",
        b"<plist><dict/><dict/></plist>",
        b"<html><dict/></html>",
        b"<plist><dict><key>A</key></dict></plist>",
        b"<plist><dict><string>A</string></dict></plist>",
        b"<plist><dict><key>A</key><key>B</key></dict></plist>",
        b"<plist><dict><key>A<b/></key><string/></dict></plist>",
        b"<plist><dict><key>A</key><string>x<b/></string></dict></plist>",
        b"<plist><dict><key>A</key><string>x</string></dict>",
        b"<plist><dict><key>A</key><string>&x;</string></dict></plist>",
        APPLE % b"<key>A</key><string>&x;</string>",
        b'<!DOCTYPE plist [<!ENTITY x "y">]><plist><dict/></plist>',
        b'<!DOCTYPE plist [<!ENTITY % x "y">]><plist><dict/></plist>',
        b'<!DOCTYPE plist [<!ENTITY x SYSTEM "file:///etc/hostname">]><plist><dict><key>A</key><string>&x;</string></dict></plist>',
        b"<plist><dict>" + b"".join(b"<key>%d</key><true/>" % n for n in range(MOST_KEYS + 1)) + b"</dict></plist>",
    ],
)
def test_what_is_no_dictionary_of_keys_and_values_is_refused(raw: bytes) -> None:
    assert PLAIN(raw) is None
    for read in (read_top_level, stream):
        with pytest.raises(WireError):
            read(raw)
