"""Words that lead to a partial index, as over the rows where a column is set."""

from typing import Any

from django.db.models import BooleanField, Func


class IsSet(Func):
    """Of a column of texts.  SQLite takes the index for the very words of its condition, not for a parameter."""

    output_field = BooleanField()
    conditional = True
    arity = 1
    template = "NOT (%(expressions)s = '')"


class IsBelow(Func):
    """Of a column of numbers, and a limit that stands in the condition of the index."""

    output_field = BooleanField()
    conditional = True
    arity = 1
    template = "(%(expressions)s < %(limit)s)"

    def __init__(self, expression: Any, *, limit: float, **extra: Any) -> None:
        super().__init__(expression, limit=repr(limit), **extra)
