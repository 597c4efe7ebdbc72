"""Pages of the V2 API: so many rows from the record with this number."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from django.db.models import Model, QuerySet

from epmm.api.parameters import Parameters
from epmm.portal import record_pages
from epmm.portal.keyset import Order
from epmm.portal.record_pages import RecordPage

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


def ordered(parameters: Parameters, sorts: Mapping[str, str], default: str) -> Order:
    """By the column that `sortField` names.  Raises ApiError."""
    column = sorts[parameters.choice("sortField", sorts, default)]
    return Order(column, is_descending(parameters))


def page(found: QuerySet[M], order: Order, window: Window, *, name: Hashable) -> RecordPage[M]:
    """`name`: whoever asks, and what for."""
    return record_pages.page(found, record_pages.of(name), order, offset=window.offset, limit=window.limit)
