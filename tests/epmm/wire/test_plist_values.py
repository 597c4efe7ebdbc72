"""Typed reading of single values, and the form in which unknown ones are kept."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from epmm.texts import is_xml
from epmm.wire.errors import WireError
from epmm.wire.limits import DEEPEST
from epmm.wire.plist import dump, load_dict, optional, required, to_json

WHEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("value", ["text", 7, True, False, 2.5, b"data", WHEN, [1], {"a": 1}])
def test_value_of_the_right_type_is_returned(value: object) -> None:
    assert required({"key": value}, "key", type(value)) is value
    assert optional({"key": value}, "key", type(value)) is value


@pytest.mark.parametrize(
    ("value", "kind"),
    [(True, int), (1, bool), ("1", int), (b"x", str), ("x", bytes), (None, str), (2.5, int), ([], dict), (True, float)],
)
def test_value_of_another_type_is_refused(value: object, kind: type) -> None:
    for read in (required, optional):
        with pytest.raises(WireError, match=f"key: expected {kind.__name__}"):
            read({"key": value}, "key", kind)


def test_absent_key_is_none_or_refused() -> None:
    assert optional({}, "key", str) is None
    with pytest.raises(WireError, match="key: expected str"):
        required({}, "key", str)


def test_integer_stands_for_a_float() -> None:
    capacity = required({"DeviceCapacity": 64}, "DeviceCapacity", float)

    assert (capacity, type(capacity)) == (64.0, float)


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x\udfff"])
def test_text_that_postgresql_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(WireError, match="unusable"):
        required({"key": text}, "key", str)


def test_text_is_bounded() -> None:
    assert required({"key": "ü" * 1024}, "key", str)
    assert required({"key": "abc"}, "key", str, longest=3)
    with pytest.raises(WireError, match="too long"):
        required({"key": "x" * 1025}, "key", str)
    with pytest.raises(WireError, match="too long"):
        optional({"key": "abcd"}, "key", str, longest=3)


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63) - 1])
def test_integer_is_bounded(number: int) -> None:
    with pytest.raises(WireError, match="range"):
        required({"key": number}, "key", int)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("text", "text"),
        ("nul\0nul", "nulnul"),
        ("ü\0", "ü"),
        ("\ud800", "?"),
        (b"\x00\xff", "AP8="),
        (WHEN, "2026-01-02T03:04:05Z"),
        (WHEN.replace(tzinfo=None), "2026-01-02T03:04:05Z"),
        (WHEN.astimezone(timezone(timedelta(hours=2))), "2026-01-02T03:04:05Z"),
        (True, True),
        (None, None),
        (7, 7),
        (1 << 63, "9223372036854775808"),
        (2.5, 2.5),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
        ({"k\0": [b"", ("a",)]}, {"k": ["", ["a"]]}),
    ],
)
def test_unknown_values_have_a_json_form(value: object, kept: object) -> None:
    assert to_json(value) == kept
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept


def test_json_form_is_bounded() -> None:
    value: list[Any] = []
    value.append(value)

    with pytest.raises(WireError, match="deep"):
        to_json(value)
    with pytest.raises(WireError, match="JSON"):
        to_json({"key": object()})


def test_json_form_is_as_deep_as_a_property_list() -> None:
    value: Any = "leaf"
    for _ in range(DEEPEST):
        value = [value]

    assert to_json(value) == value


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.datetimes(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)
def test_json_form_is_storable(value: object) -> None:
    dumped = json.dumps(to_json(value), allow_nan=False, ensure_ascii=False)

    assert "\\u0000" not in dumped
    assert dumped.encode()


@pytest.mark.parametrize("character", ["\0", "\x1f", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_does_not_have_is_not_written(character: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of its kinds, whichever the library has
        dump({"Message": f"a{character}b"})


@given(st.text().filter(is_xml))
def test_what_is_written_is_read(text: str) -> None:
    as_xml_reads_it = text.replace("\r\n", "\n").replace("\r", "\n")
    assert load_dict(dump({"Message": text})) == {"Message": as_xml_reads_it}
