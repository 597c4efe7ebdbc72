"""The rows that pushes are about: locked without waiting for anybody, and some at a time."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

SLICE: Final = 5000  # SQLite knows how many parameters are too many
AT_ONCE: Final = 200  # channels that are locked together

Row = TypeVar("Row", bound=Model)


def free(rows: QuerySet[Row]) -> QuerySet[Row]:
    """Locked, without what others have locked: whoever waits for nobody is in no deadlock, whatever comes first."""
    return locked(rows, waits=False)


def locked(rows: QuerySet[Row], *, waits: bool) -> QuerySet[Row]:
    skip = connection.features.has_select_for_update_skip_locked and not waits
    return rows.select_for_update(of=("self",), no_key=True, skip_locked=skip)


def ids_of(rows: QuerySet[Any]) -> list[int]:
    return list(rows.values_list("pk", flat=True))


def slices(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
