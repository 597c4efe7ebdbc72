"""What a text may be, wherever it comes from."""

import re
from typing import Final

_NOT_XML: Final = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def is_storable(text: str) -> bool:
    """No database keeps a NUL, and JSON can write half a character, which has no bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def is_xml(text: str) -> bool:
    """Whether XML has all its characters (XML 1.0, section 2.2): no device reads a property list with another."""
    return _NOT_XML.search(text) is None


def as_xml(text: str) -> str:
    """Without the characters that XML does not have."""
    return _NOT_XML.sub("", text)
