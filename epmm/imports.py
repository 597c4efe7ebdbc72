"""Many rows of a file put in place at once: what would become of each is told before anything does.

All or nothing, unless those that are right may go alone.  Rows are looked at some hundred at a time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Generic, Protocol, TypeVar

from django.db import transaction

AT_ONCE: Final = 500
Value = str | bool | tuple[str, ...]


class ImportRefused(Exception):
    """The file is not read any further, and nothing is changed.  The argument is a sentence."""


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Fault:
    line: int
    sentence: str


@dataclass(frozen=True, slots=True)
class FieldChange:
    name: str
    before: Value | None
    after: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a row does; with no fields, nothing."""

    line: int
    name: str
    is_new: bool
    fields: Sequence[FieldChange]

    @property
    def is_any(self) -> bool:
        return self.is_new or bool(self.fields)


class Planned(Protocol):
    @property
    def change(self) -> Change: ...


P = TypeVar("P", bound=Planned)


class Plan(Protocol[P]):
    """Of one import, which remembers what rows before have taken."""

    def look(self, rows: Sequence[Row], *, locked: bool) -> Iterator[P | Fault]: ...

    def put(self, planned: Sequence[P]) -> None: ...


@dataclass(slots=True, kw_only=True)
class Report(Generic[P]):
    rows: int = 0
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    changes: list[Change] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    is_applied: bool = False

    def count(self, change: Change) -> None:
        self.created += change.is_new
        self.changed += change.is_any and not change.is_new
        self.unchanged += not change.is_any


def carry_out(rows: Iterable[Row | Fault], plan: Plan[P], *, dry_run: bool, partial: bool) -> Report[P]:
    """Of a dry run the report has all changes.  Raises ImportRefused, and what `plan` raises."""
    report: Report[P] = Report()
    with nullcontext() if dry_run else transaction.atomic():
        for some in _some(rows):
            _look_and_put(some, plan, report, puts=not dry_run)
        report.is_applied = not dry_run and (partial or not report.faults)
        if not report.is_applied and not dry_run:
            transaction.set_rollback(True)
    report.faults.sort(key=lambda fault: fault.line)
    return report


def _look_and_put(some: Sequence[Row | Fault], plan: Plan[P], report: Report[P], *, puts: bool) -> None:
    report.rows += len(some)
    good: list[P] = []
    readable = [each for each in some if isinstance(each, Row)]
    for each in [*(each for each in some if isinstance(each, Fault)), *plan.look(readable, locked=puts)]:
        if isinstance(each, Fault):
            report.faults.append(each)
            continue
        report.count(each.change)
        if each.change.is_any:
            good.append(each)
            if not puts:
                report.changes.append(each.change)
    if puts and good:
        plan.put(good)


def _some(rows: Iterable[Row | Fault]) -> Iterator[list[Row | Fault]]:
    left = iter(rows)
    while some := list(islice(left, AT_ONCE)):
        yield some


def words(values: Mapping[str, Value], name: str) -> frozenset[str]:
    found = values[name]
    return frozenset(found) if isinstance(found, tuple) else frozenset()


def shown(value: Any) -> str:
    """To people."""
    return ", ".join(value) if isinstance(value, tuple) else "" if value is None else str(value)
