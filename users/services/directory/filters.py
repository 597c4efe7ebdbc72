"""LDAP search filters (RFC 4515).  What somebody typed is a value in them, never a part of their structure."""

from typing import Final

_SPECIAL: Final = frozenset(b"\\*()\0")
_DEEPEST: Final = 50


def escaped(value: str | bytes) -> str:
    """Text keeps its letters; of bytes each is written as its number."""
    if isinstance(value, bytes):
        return "".join(f"\\{byte:02x}" for byte in value)
    return "".join(f"\\{ord(each):02x}" if ord(each) in _SPECIAL else each for each in value)


def equals(attribute: str, value: str | bytes) -> str:
    return f"({attribute}={escaped(value)})"


def begins(attribute: str, text: str) -> str:
    return f"({attribute}={escaped(text)}*)"


def holds(attribute: str, text: str) -> str:
    return f"({attribute}=*{escaped(text)}*)" if text else f"({attribute}=*)"


def all_of(*parts: str) -> str:
    given = [part for part in parts if part]
    return given[0] if len(given) == 1 else f"(&{''.join(given)})"


def any_of(*parts: str) -> str:
    return parts[0] if len(parts) == 1 else f"(|{''.join(parts)})"


def is_filter(text: str) -> bool:
    """Whether an administrator's filter is one pair of parentheses with pairs in it: it is put into others whole."""
    depth = 0
    for at, each in enumerate(text):
        depth += (each == "(") - (each == ")")
        if not 0 < depth <= _DEEPEST and at < len(text) - 1:
            return False
    return bool(text) and depth == 0 and text[0] == "(" and text.isprintable()
