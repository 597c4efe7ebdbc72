"""Pages of the V2 API: so many rows from the record with this number."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from django.db.models import Model, QuerySet

from epmm.api.parameters import Parameters

M = TypeVar("M", bound=Model)
PAGE: Final = 50
LARGEST_PAGE: Final = 1000
FARTHEST: Final = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    offset: int
    limit: int

    @classmethod
    def read(cls, parameters: Parameters, *, limit: int = PAGE) -> "Window":
        """Beyond EPMM's 200 nobody is refused: a client that asks for more can take them."""
        return cls(
            offset=parameters.number("offset", 0, high=FARTHEST),
            limit=parameters.number("limit", limit, high=LARGEST_PAGE),
        )


def is_descending(parameters: Parameters) -> bool:
    return parameters.choice("sortOrder", ("ASC", "DESC"), "ASC") == "DESC"


def order_by(parameters: Parameters, sorts: Mapping[str, str], default: str) -> tuple[str, str]:
    """The column that `sortField` names, and the key behind it.  Raises ApiError."""
    column = sorts[parameters.choice("sortField", sorts, default)]
    sign = "-" if is_descending(parameters) else ""
    return f"{sign}{column}", f"{sign}pk"


def cut(rows: QuerySet[M], window: Window) -> tuple[list[M], int, bool]:
    """Of a list that is short, or whose order an index has: the rows, how many there are in all, whether more come."""
    total = rows.count()
    found = list(rows[window.offset : window.offset + window.limit])
    return found, total, window.offset + len(found) < total
