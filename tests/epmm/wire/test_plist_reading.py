"""What `load_dict` reads from XML and binary property lists, and what it refuses."""

import plistlib
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epmm.wire import xml_plist
from epmm.wire.errors import WireError
from epmm.wire.limits import DEEPEST, MOST_ELEMENTS
from epmm.wire.plist import MAX_BYTES, dump, load_dict
from tests.mutations import mutated

VECTORS = Path(__file__).parents[2] / "vectors"
DOCTYPE = '<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">'
FORMATS = [plistlib.FMT_XML, plistlib.FMT_BINARY]

SAMPLE = {
    "Text": "Grüße, 世界 &<>",
    "Empty": "",
    "Number": 18446744073709551615,
    "Negative": -9223372036854775808,
    "Small": 7,
    "Real": 2.5,
    "Yes": True,
    "No": False,
    "Data": b"\x00\xff" * 20,
    "When": datetime(2023, 8, 6, 7, 40, 58),  # noqa: DTZ001 -- plistlib writes naive dates as UTC
    "List": ["a", ["b"], {"c": []}],
    "Many": list(range(250, 270)),
}


def xml(inside: str, *, doctype: str = DOCTYPE) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?>{doctype}<plist version="1.0">{inside}</plist>'.encode()


def binary(*objects: bytes, offsets: list[int] | None = None, top: int = 0) -> bytes:
    """A binary list with references of one byte, and objects one after the other unless `offsets` says otherwise."""
    body = b"bplist00" + b"".join(objects)
    if offsets is None:
        offsets = [8 + sum(map(len, objects[:i])) for i in range(len(objects))]
    table = struct.pack(f">{len(offsets)}I", *offsets)
    return body + table + struct.pack(">6xBBQQQ", 4, 1, len(offsets), top, len(body))


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


def as_plistlib(value: Any) -> Any:
    """Our value with dates as plistlib gives them, in a form that is equal to itself even with NaN inside."""
    match value:
        case dict():
            return {key: as_plistlib(item) for key, item in value.items()}
        case list():
            return [as_plistlib(item) for item in value]
        case datetime():
            return repr(value.replace(tzinfo=None))
    return repr(value)


@pytest.mark.parametrize("form", FORMATS)
def test_every_type_is_read(form: plistlib.PlistFormat) -> None:
    value = load_dict(plistlib.dumps(SAMPLE, fmt=form))

    assert value == SAMPLE | {"When": datetime(2023, 8, 6, 7, 40, 58, tzinfo=UTC)}
    assert {key: type(item) for key, item in value.items()} == {key: type(item) for key, item in SAMPLE.items()}


@pytest.mark.parametrize("path", sorted(VECTORS.glob("**/*.plist")), ids=lambda path: path.stem)
def test_recorded_messages_read_as_plistlib_reads_them(path: Path) -> None:
    raw = path.read_bytes()

    assert as_plistlib(load_dict(raw)) == as_plistlib(plistlib.loads(raw))


def test_what_we_write_can_be_read() -> None:
    value = {"b": 1, "a": {"when": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)}}

    assert load_dict(dump(value)) == value
    assert list(load_dict(dump(value))) == ["b", "a"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_encoding_is_the_declared_one(encoding: str) -> None:
    raw = f'<?xml version="1.0" encoding="{encoding}"?><plist><dict><key>k</key><string>ü</string></dict></plist>'

    assert load_dict(raw.encode(encoding)) == {"k": "ü"}


def test_hexadecimal_integer_and_spaces_are_apples_habit() -> None:
    assert load_dict(xml("<dict><key>n</key><integer> 0x1F </integer></dict>")) == {"n": 31}


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "<array/>",
        "<string>x</string>",
        "<dict/><dict/>",
        "<dict><string>x</string></dict>",
        "<dict><key>a</key></dict>",
        "<dict><key>a</key><key>b</key></dict>",
        "<dict><key>a</key><string>x<true/></string></dict>",
        "<dict><key>a</key><plist/></dict>",
        "<dict><key>a</key><unknown/></dict>",
        "<array><key>a</key></array>",
        "<key>a</key>",
        "<dict><key>a</key><integer>twelve</integer></dict>",
        "<dict><key>a</key><integer>1_0</integer></dict>",
        "<dict><key>a</key><integer>18446744073709551616</integer></dict>",
        f"<dict><key>a</key><integer>{'9' * 5000}</integer></dict>",
        f"<dict><key>a</key><integer>0x{'f' * 5000}</integer></dict>",
        "<dict><key>a</key><real>much</real></dict>",
        "<dict><key>a</key><date>yesterday</date></dict>",
        "<dict><key>a</key><date>0000-01-01T00:00:00Z</date></dict>",
        "<dict><key>a</key><data>a</data></dict>",
        "<dict><key>a</key><string>&apple;</string></dict>",
        "<dict><key>a</key><string>&#0;</string></dict>",
        "<dict><key>a</key><string>&#xD800;</string></dict>",
        "<dict>",
    ],
)
def test_wrong_xml_is_refused(inside: str) -> None:
    with pytest.raises(WireError):
        load_dict(xml(inside))


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"<", b"<dict/>", b"<?xml version='1.0'?><html/>", b"bplist00", b"\xff" * 99]
)
def test_what_is_no_property_list_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        load_dict(raw)


@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY a "x">',
        '<!ENTITY a "x"><!ENTITY b "&a;&a;&a;&a;">',
        '<!ENTITY a SYSTEM "file:///etc/passwd">',
        '<!ENTITY % a SYSTEM "file:///etc/passwd"> %a;',
    ],
)
def test_entities_are_refused(declaration: str) -> None:
    with pytest.raises(WireError, match="entities"):
        load_dict(xml("<dict/>", doctype=f"<!DOCTYPE plist [{declaration}]>"))


def test_undefined_entity_is_not_passed_over() -> None:
    with pytest.raises(WireError, match="entities"):
        load_dict(xml("<dict><key>a</key><string>12&nothing;34</string></dict>"))


def nested(depth: int) -> bytes:
    return xml("<dict><key>a</key>" * depth + "<true/>" + "</dict>" * depth)


def test_nesting_is_bounded() -> None:
    assert load_dict(nested(DEEPEST))["a"]
    with pytest.raises(WireError, match="nested"):
        load_dict(nested(DEEPEST + 1))


@pytest.mark.parametrize("empty", ["<dict/>", "<array/>", "<dict></dict>", "<array></array>"])
def test_an_empty_container_is_one_too(empty: str) -> None:
    inside, outside = "<dict><key>a</key>" * (DEEPEST - 1), "</dict>" * (DEEPEST - 1)

    assert load_dict(xml(f"{inside}{empty}{outside}"))["a"]
    with pytest.raises(WireError, match="nested"):
        load_dict(xml(f"<dict><key>a</key>{inside}{empty}{outside}</dict>"))


@pytest.mark.parametrize("form", FORMATS)
def test_elements_are_bounded(form: plistlib.PlistFormat) -> None:
    few, many = ({"a": [True] * count} for count in (MOST_ELEMENTS - 5, MOST_ELEMENTS))

    assert len(load_dict(plistlib.dumps(few, fmt=form), max_bytes=1 << 22)["a"]) == MOST_ELEMENTS - 5
    with pytest.raises(WireError, match="too many"):
        load_dict(plistlib.dumps(many, fmt=form), max_bytes=1 << 22)


@pytest.mark.parametrize("opening", [b"<array>", b"<dict><key>a</key>"])
def test_depth_bomb_costs_nothing(opening: bytes) -> None:
    bomb = b"<plist>" + opening * 50_000

    with memory_below(3 * len(bomb)), pytest.raises(WireError, match="nested"):
        load_dict(bomb)


def test_oversized_is_refused_before_it_is_read() -> None:
    raw = b"<plist>" + b" " * MAX_BYTES

    with memory_below(100_000), pytest.raises(WireError, match="too large"):
        load_dict(raw)


def test_limit_is_the_callers() -> None:
    raw = dump({"a": "x" * 100})

    with pytest.raises(WireError, match="too large"):
        load_dict(raw, max_bytes=len(raw) - 1)
    assert load_dict(raw, max_bytes=len(raw))


BINARY_DICT = b"\xd1\x01\x02", b"\x51a"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (binary(b"\xa1\x00"), "twice"),  # contains itself
        (binary(*BINARY_DICT, b"\xa2\x03\x03", b"\xa0"), "twice"),  # the same list twice
        (binary(b"\xa1\x01", b"\xa1\x00"), "twice"),
        (binary(b"\xa0"), "dictionary"),
        (binary(b"\xd1\x01\x01", b"\x10\x07"), "key"),
        (binary(*BINARY_DICT, b"\x00"), "unknown"),  # null
        (binary(*BINARY_DICT, b"\x80\x07"), "unknown"),  # UID of an archive
        (binary(*BINARY_DICT, b"\x24" + bytes(16)), "unknown"),
        (binary(*BINARY_DICT, b"\x14\x01" + bytes(15)), "range"),
        (binary(*BINARY_DICT, b"\x15\x01" + bytes(31)), "range"),
        (binary(*BINARY_DICT, b"\x33" + struct.pack(">d", 1e300)), "not a property list"),
        (binary(*BINARY_DICT, b"\x33" + struct.pack(">d", float("nan"))), "not a property list"),
        (binary(*BINARY_DICT, b"\x51\xff"), "not a property list"),
        (binary(*BINARY_DICT, b"\x61\xd8\x00"), "not a property list"),  # half of a surrogate pair
        (binary(*BINARY_DICT, b"\x4f\x13" + b"\x7f" * 8), "larger"),
        (binary(*BINARY_DICT, b"\xaf\x13" + b"\x7f" * 8), "larger"),
        (binary(*BINARY_DICT), "not a property list"),  # refers to nothing
        (binary(*BINARY_DICT, b"\x09", top=9), "not a property list"),
        (binary(b"\xd0", offsets=[10_000]), "not a property list"),
        (b"bplist00\xd0" + struct.pack(">6xBBQQQ", 1, 1, 1 << 60, 0, 9), "outside"),
        (b"bplist00\xd0\x08" + struct.pack(">6xBBQQQ", 1, 1, 1, 0, 1 << 60), "outside"),
        (b"bplist00\xd0\x08" + struct.pack(">6xBBQQQ", 0, 1, 1, 0, 9), "empty"),
        (b"bplist00\xd0\x08" + struct.pack(">6xBBQQQ", 1, 0, 1, 0, 9), "empty"),
    ],
)
def test_wrong_binary_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        load_dict(raw)


def test_binary_scalar_may_be_shared_as_apples_writer_does() -> None:
    raw = binary(b"\xd2\x01\x02\x03\x03", b"\x51a", b"\x51b", b"\x54same")

    assert load_dict(raw) == {"a": "same", "b": "same"}


def test_binary_nesting_is_bounded() -> None:
    value: dict[str, Any] = {}
    for _ in range(DEEPEST):
        value = {"a": value}

    with pytest.raises(WireError, match="nested"):
        load_dict(plistlib.dumps(value, fmt=plistlib.FMT_BINARY))
    assert load_dict(plistlib.dumps(value["a"], fmt=plistlib.FMT_BINARY))


def test_overlapping_objects_do_not_multiply() -> None:
    """Two hundred objects, each a view of the same 30 kB, would be 6 MB; a larger file would be gigabytes."""
    data = b"\x4f\x11\x75\x30" + bytes(30_000)
    objects = [b"\xaf\x10\xc8" + bytes(range(1, 201)), data]
    raw = binary(*objects, offsets=[8] + [8 + len(objects[0])] * 200)

    with memory_below(300_000), pytest.raises(WireError, match="larger"):
        load_dict(raw)


TEXT = st.text("aZ &<>'\"\n\tü世\N{GRINNING FACE}", max_size=8)
LEAVES = (
    TEXT
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 64) - 1)
    | st.floats()
    | st.binary(max_size=20)
    | st.datetimes(min_value=datetime(1000, 1, 1))  # noqa: DTZ001 -- plistlib writes naive dates as UTC
)
DICTS = st.dictionaries(
    TEXT,
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)),
    max_size=6,
)


@settings(deadline=None)
@given(value=DICTS, form=st.sampled_from(FORMATS))
def test_whatever_plistlib_writes_we_read(value: dict[str, Any], form: plistlib.PlistFormat) -> None:
    raw = plistlib.dumps(value, fmt=form)

    assert as_plistlib(load_dict(raw)) == as_plistlib(plistlib.loads(raw))


@settings(deadline=None)
@given(raw=mutated(*(plistlib.dumps(SAMPLE, fmt=form) for form in FORMATS)) | st.binary())
def test_mutated_list_reads_as_plistlib_reads_it_or_is_refused(raw: bytes) -> None:
    try:
        value = load_dict(raw)
    except WireError:
        return
    form = plistlib.FMT_BINARY if raw.startswith(b"bplist00") else plistlib.FMT_XML  # it knows XML by its first word
    assert as_plistlib(value) == as_plistlib(plistlib.loads(raw, fmt=form))


PIECES = [
    "<!-- c -->", "<?pi?>", "<![CDATA[x]]>", "]]>", "&amp;", "&#65;", "&x;", " a='b'", "<true/>", "<key>a</key>",
    "<key/>", "<dict>", "</dict>", "<string/>", "<plist>", "\r\n", "\0", "\ufeff", "ü",
]  # fmt: skip


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2000), st.sampled_from(PIECES)), max_size=3))
def test_both_readers_of_xml_agree(put_in: list[tuple[int, str]]) -> None:
    text = plistlib.dumps(SAMPLE).decode()
    for place, piece in put_in:
        text = text[:place] + piece + text[place:]
    raw = text.encode()
    value = xml_plist.load_plain(raw)
    assert value is None or as_plistlib(value) == as_plistlib(xml_plist._Reader().read(raw))


@pytest.mark.parametrize("told", [SAMPLE, {"Text": "x" * xml_plist.LARGEST}])
def test_what_apple_writes_is_taken_apart_by_a_pattern_unless_it_is_large(told: dict[str, Any]) -> None:
    raw = plistlib.dumps(told)

    assert (xml_plist.load_plain(raw) is None) == (len(raw) > xml_plist.LARGEST)
    assert load_dict(raw, max_bytes=2 * xml_plist.LARGEST)


@pytest.mark.parametrize(
    "inside",
    [
        "<dict><key>a</key></dict>",
        "<dict><true/></dict>",
        "<array><key>a</key><true/></array>",
        "<dict><key>a</key><array></dict></array>",
        "<dict><key>a</key><dict></dict>",
        "<dict></dict></dict>",
        "<dict></dict><dict/>",
        "<dict>text</dict>",
        "<dict></dict>text",
        "text<dict></dict>",
        "<dict><key>a</key>text<true/></dict>",
        "<dict><key>a]]></key><true/></dict>",
        "<dict><key>a</key><string>\x01</string></dict>",
        "<dict><key>a</key><string>&#65;</string></dict>",
        "<dict><key>a</key><string>& amp;</string></dict>",
        "<dict><key>&amp</key><string></string></dict>",
        "<dict><key>a</key><string>\r\n</string></dict>",  # a line's end for XML, whatever it is for a pattern
    ],
)
def test_the_pattern_leaves_to_expat_what_it_does_not_know(inside: str) -> None:
    assert xml_plist.load_plain(xml(inside)) is None


@pytest.mark.parametrize("repeated", [" ", "\n\t", "<key>", "<key> ", "<key></key> ", "<string>", "a", "</dict>"])
@pytest.mark.parametrize(
    "inside", ["%s", "<dict>%s</dict>", "<dict><key>%s</key><true/></dict>", "<dict>%s<true/></dict>"]
)
def test_the_pattern_gives_up_in_linear_time(inside: str, repeated: str) -> None:
    """Else each of these takes minutes."""
    xml_plist.load_plain(xml(inside % (repeated * (900_000 // len(repeated)))))


@pytest.mark.parametrize("text", ["&amp;lt;", "&lt;&gt;&quot;&apos;&amp;", "a&amp;b"])
def test_references_are_resolved_once(text: str) -> None:
    raw = xml(f"<dict><key>{text}</key><string>{text}</string></dict>")

    assert xml_plist.load_plain(raw) == plistlib.loads(raw)
