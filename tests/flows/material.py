"""What hostile requests are made of."""

import plistlib
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from tests.flows.target import Headers

T = TypeVar("T")

METHODS: Final = st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "get"])
# What a server lets through: no line breaks and no NUL.
FIELD: Final = st.binary(max_size=60).map(lambda raw: raw.translate(None, b"\r\n\0"))
LONG: Final = st.sampled_from([0, 1, 255, 256, 5000]).map(lambda length: "x" * length)
ODD: Final = st.sampled_from(["\0", "a\0b", "%00", "\ud7ff", "' OR 1=1 --", "{{7*7}}", "../../etc"])
TEXT: Final = st.text(max_size=20) | LONG | ODD
SCALARS: Final = (
    st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | TEXT
    | st.binary(max_size=40)
    | st.datetimes()
    | st.builds(plistlib.UID, st.integers(0, 2**64 - 1))
)
VALUES: Final = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=8
)


def mostly(usual: SearchStrategy[T], odd: SearchStrategy[T]) -> SearchStrategy[T]:
    """What is wrong everywhere gets nowhere."""
    return st.integers(0, 7).flatmap(lambda number: usual if number else odd)


@st.composite
def altered(draw: DrawFn, message: Mapping[str, Any], names: Sequence[str], known: SearchStrategy[str]) -> bytes:
    """A message as it should be, but for some of its values, most of which are of the right type."""
    changed = dict(message)
    for name in draw(st.lists(st.sampled_from([*message, *names]), min_size=1, max_size=3)):
        if draw(st.integers(0, 3)) == 0:
            changed.pop(name, None)
        else:
            match message.get(name, ""):
                case bool():
                    alike: SearchStrategy[Any] = st.booleans()
                case str():
                    alike = known | TEXT
                case bytes():
                    alike = st.binary(max_size=300)
                case _:
                    alike = VALUES
            changed[name] = draw(mostly(alike, VALUES))
    return dumped(changed)


def headers(*names: str) -> SearchStrategy[Headers]:
    """Some of these fields, with anything in them."""
    fields = st.tuples(st.sampled_from([name.encode() for name in names]), FIELD)
    return st.lists(fields, max_size=3)


def dumped(value: Any) -> bytes:
    """XML where it can carry the value: control characters only the binary form can."""
    try:
        return plistlib.dumps(value)
    except (TypeError, ValueError, OverflowError):
        return _binary_dumped(value)


def binary(raw: bytes) -> bytes:
    return _binary_dumped(plistlib.loads(raw))


def _binary_dumped(value: Any) -> bytes:
    try:
        return plistlib.dumps(value, fmt=plistlib.FMT_BINARY)
    except (TypeError, ValueError, OverflowError):
        assume(False)
        raise


def as_sent(query: bytes) -> bytes:
    return query.translate(None, b" #\t")


def one_line(raw: bytes) -> bytes:
    return raw.translate(None, b"\r\n\0")
