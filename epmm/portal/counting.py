"""Counts of what belongs to each row of a list: by an index, and no further than somebody reads them."""

from typing import Any

from django.db.models import IntegerField, QuerySet, Subquery

from epmm.portal.lists import COUNT_CAP


class CountedTo(Subquery):
    """How many of these there are, up to a cap, and one more where there are more.

    A join and a GROUP BY would read all of them, of each row of the list that is not shown, too.
    """

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()

    def __init__(self, queryset: QuerySet[Any], *, cap: int | None = None, column: str = "pk") -> None:
        """`column`: all that is read of them, for a template that asks for more than their number."""
        super().__init__(queryset.order_by().values(column)[: (COUNT_CAP if cap is None else cap) + 1])
