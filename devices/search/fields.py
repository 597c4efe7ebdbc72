"""What can be searched for: each field with its names, its kind, and where it lives."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from devices.search.sources import Nowhere, Source
from devices.search.tree import Operator

PREFIX: Final = "common."  # of a field that is named without one
LONGEST_GUESSED: Final = 100
LIKENESS: Final = 0.6


class Kind(StrEnum):
    TEXT = "text"
    VERSION = "version"
    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"
    ENUMERATION = "enumeration"
    LIST = "list"


class Group(StrEnum):
    COMMON = "common"
    IOS = "ios"
    USER = "user"
    LDAP = "ldap"
    CUSTOM = "custom"


GROUP_LABELS: Final[dict[Group, str | Promise]] = {
    Group.COMMON: _("Common"),
    Group.IOS: "iOS",
    Group.USER: _("User"),
    Group.LDAP: "LDAP",
    Group.CUSTOM: _("Custom"),
}
_EQUAL: Final = (Operator.EQUALS, Operator.DIFFERS)
_ORDER: Final = (Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST)
_EMPTY: Final = (Operator.IS_EMPTY, Operator.IS_NOT_EMPTY)
_PARTS: Final = (Operator.CONTAINS, Operator.LACKS, Operator.BEGINS)
OPERATORS: Final[dict[Kind, tuple[Operator, ...]]] = {
    Kind.TEXT: (*_EQUAL, *_PARTS, *_EMPTY),
    Kind.VERSION: (*_EQUAL, *_ORDER, *_PARTS, *_EMPTY),
    Kind.NUMBER: (*_EQUAL, *_ORDER, *_EMPTY),
    Kind.DATE: (*_EQUAL, *_ORDER, *_EMPTY),
    Kind.BOOLEAN: (*_EQUAL, *_EMPTY),
    Kind.ENUMERATION: (*_EQUAL, *_EMPTY),
    Kind.LIST: (*_EQUAL, *_PARTS, *_EMPTY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    key: str
    label: str | Promise
    kind: Kind
    source: Source = field(default_factory=Nowhere)
    group: Group
    aliases: tuple[str, ...] = ()
    values: tuple[str, ...] = ()  # of an enumeration
    is_open: bool = False  # an enumeration that others may add values to: an unknown one is no mistake
    value_aliases: tuple[tuple[str, str], ...] = ()
    is_whole: bool = False  # a number without a fraction

    @property
    def operators(self) -> tuple[Operator, ...]:
        return OPERATORS[self.kind]

    def value(self, text: str) -> str | None:
        """The enumeration's own spelling."""
        known = {each.lower(): each for each in self.values} | {name.lower(): each for name, each in self.value_aliases}
        return known.get(text.strip().lower())

    def nearest_value(self, text: str) -> str | None:
        return _nearest(text, {each.lower(): each for each in self.values})


class Registry:
    """Fields by their names; those of an installation, as custom attributes, are added with `extended`."""

    def __init__(self, fields: Iterable[Field]) -> None:
        self.fields: Sequence[Field] = tuple(fields)
        self._by_key = {each.key: each for each in self.fields}
        self._by_name = {name.lower(): each for each in self.fields for name in (*each.aliases, each.key)}

    def __getitem__(self, key: str) -> Field:
        return self._by_key[key]

    def extended(self, fields: Iterable[Field]) -> "Registry":
        more = tuple(fields)
        return Registry((*self.fields, *more)) if more else self

    @cached_property
    def with_spaces(self) -> tuple[str, ...]:
        return tuple(sorted((each.key for each in self.fields if " " in each.key), key=len, reverse=True))

    def resolve(self, name: str) -> str | None:
        name = " ".join(name.split()).lower()
        found = self._by_name.get(name) or self._by_name.get(PREFIX + name)
        return found.key if found else None

    def nearest(self, name: str) -> str | None:
        """The likeliest key; a name without its prefix is near to the one with it."""
        return _nearest(name, {alias.lower(): key for key in self._by_key for alias in (key.partition(".")[2], key)})


def _nearest(text: str, spellings: Mapping[str, str]) -> str | None:
    close = difflib.get_close_matches(text[:LONGEST_GUESSED].lower(), spellings, n=1, cutoff=LIKENESS)
    return spellings[close[0]] if close else None
