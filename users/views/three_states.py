"""Boxes for several people at once: ticked, not ticked, or mixed, which leaves each as they are.

A form sends also what it was opened with, and so what was changed in it: somebody else may change the rest meanwhile.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from django.http import QueryDict
from django.utils.functional import Promise

# The names in the form: what is ticked, what stays mixed, and what was either when it was opened.
GRANTED: Final = "granted"
MIXED: Final = "mixed"
WAS: Final = "was"
WAS_MIXED: Final = "was_mixed"


@dataclass(frozen=True, slots=True)
class Box:
    key: str
    label: str | Promise
    is_ticked: bool
    is_mixed: bool
    was_ticked: bool
    was_mixed: bool
    note: str | Promise = ""
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Ticks:
    on: frozenset[str]
    mixed: frozenset[str]
    was_on: frozenset[str]
    was_mixed: frozenset[str]

    @classmethod
    def of(cls, held: Collection[Collection[str]]) -> "Ticks":
        """As the dialog opens, for people who hold these."""
        sets = [frozenset(keys) for keys in held]
        everywhere = frozenset.intersection(*sets)
        mixed = frozenset.union(*sets) - everywhere
        return cls(everywhere, mixed, everywhere, mixed)

    @classmethod
    def counted(cls, held: Mapping[str, int], number: int) -> "Ticks":
        """As the dialog opens, for so many people, of whom so many hold each."""
        everywhere = frozenset(key for key, holding in held.items() if holding >= number)
        mixed = frozenset(held) - everywhere
        return cls(everywhere, mixed, everywhere, mixed)

    @classmethod
    def read(cls, sent: QueryDict, known: Iterable[str]) -> "Ticks":
        keys = frozenset(known)
        on, mixed, was_on, was_mixed = (
            frozenset(sent.getlist(name)) & keys for name in (GRANTED, MIXED, WAS, WAS_MIXED)
        )
        return cls(on, (mixed & was_mixed) - on, was_on, was_mixed - was_on)

    @property
    def granted(self) -> frozenset[str]:
        return self.on - self.was_on

    @property
    def removed(self) -> frozenset[str]:
        return (self.was_on | self.was_mixed) - self.on - self.mixed

    def box(self, key: str, label: str | Promise, *, note: str | Promise = "", is_warning: bool = False) -> Box:
        return Box(
            key=key,
            label=label,
            is_ticked=key in self.on,
            is_mixed=key in self.mixed,
            was_ticked=key in self.was_on,
            was_mixed=key in self.was_mixed,
            note=note,
            is_warning=is_warning,
        )
