"""Sentences for administrators, in English, that know their pattern: whoever shows them translates it."""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Any


class Sentence(str):
    __slots__ = ("pattern", "values")
    pattern: str
    values: dict[str, Any]


def sentence(pattern: str, **values: Any) -> Sentence:
    """Imported as `_`, by which name the catalog finds the pattern.  A value may be a sentence, or a part of one."""
    made = Sentence(pattern.format(**values))
    made.pattern, made.values = pattern, values
    return made


def packed(told: Sentence) -> list[Any]:
    """As JSON can hold it, for whoever reads it later."""
    return [told.pattern, {name: packed(v) if isinstance(v, Sentence) else v for name, v in told.values.items()}]


def unpacked(kept: list[Any]) -> Sentence:
    pattern, values = kept
    return sentence(pattern, **{name: unpacked(v) if isinstance(v, list) else v for name, v in values.items()})


def gettext_noop(pattern: str) -> str:
    """By this name the catalog of translations finds it; the layer itself knows none."""
    return pattern


def with_nearest(told: Sentence, name: str, known: Collection[str]) -> Sentence:
    """And asks whether that was meant, when something known is like it."""
    near = get_close_matches(name, known, n=1)
    return sentence(gettext_noop("{sentence} Did you mean {name}?"), sentence=told, name=near[0]) if near else told
