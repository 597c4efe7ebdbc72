"""Sentences for administrators, in English, that know their pattern: whoever shows them translates it."""

from typing import Any


class Sentence(str):
    __slots__ = ("pattern", "values")
    pattern: str
    values: dict[str, Any]


def sentence(pattern: str, **values: Any) -> Sentence:
    made = Sentence(pattern.format(**values))
    made.pattern, made.values = pattern, values
    return made


def gettext_noop(pattern: str) -> str:
    """By this name the catalog of translations finds it; the layer itself knows none."""
    return pattern
