"""Words that lead to an index which the ORM's own pass by: a partial one, or one that knows how texts begin."""
# ruff: noqa: ARG002 - the signatures are Django's

import sys
from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any, Final, TypeVar

from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, F, Func, Model, Q, QuerySet, TextField, Value

M = TypeVar("M", bound=Model)

FEW: Final = 500


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


class Lowered(Func):
    """A text in small letters, as far as the database knows letters; ordered by code point."""

    output_field = TextField()
    function = "lower"
    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template='(lower(%(expressions)s) COLLATE "C")', **context)


class _Begins(Func):
    """Of a column, the text and the pattern that means it."""

    output_field = BooleanField()
    conditional = True
    arity = 3

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        column, _text, pattern = map(compiler.compile, self.source_expressions)
        return f"({column[0]} LIKE {pattern[0]})", (*column[1], *pattern[1])

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """By the range that PostgreSQL makes of LIKE by itself."""
        column, text, _pattern = map(compiler.compile, self.source_expressions)
        sql = f"({column[0]} >= {text[0]} AND {column[0]} < {text[0]} || char({sys.maxunicode}))"
        return sql, (*column[1], *text[1], *column[1], *text[1])


def begins(column: str, text: str) -> Q:
    """Of a `FoldedField`, and a folded text; or of a column to which Django gives an index for patterns."""
    return Q(_Begins(F(column), Value(text), Value(f"{escaped(text)}%")))


def begins_in_any_case(column: str, text: str) -> Q:
    """Where `Lowered` has an index of the column."""
    return Q(_Begins(Lowered(column), Lowered(Value(text)), Lowered(Value(f"{escaped(text)}%"))))


def escaped(text: str) -> str:
    """In a pattern of LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def find(rows: QuerySet[M], tests: Sequence[Q]) -> QuerySet[M]:
    """Rows that meet one of the tests, each of which has an index.

    SQLite takes six ranges of indexes for more than the table, and walks through all of it for one row; or it sorts
    what many of them lead to for a page.  So it is asked first whether there are few.
    """
    met = reduce(or_, tests)
    if connection.vendor != "sqlite":
        return rows.filter(met)
    everything: QuerySet[M] = QuerySet(rows.model)
    ranges = [Q(pk__in=everything.filter(test).values("pk")[: FEW + 1]) for test in tests]
    keys = list(everything.filter(reduce(or_, ranges)).values_list("pk", flat=True)[: FEW + 1])
    return rows.filter(Q(_InItsOrder(met)) if len(keys) > FEW else Q(pk__in=keys))


class _InItsOrder(ExpressionWrapper):  # type: ignore[type-arg] # not subscriptable at run time
    """A condition that many rows meet: a page of them is full soonest by walking in its order."""

    def __init__(self, met: Q) -> None:
        super().__init__(met, output_field=BooleanField())

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        sql, parameters = self.as_sql(compiler, connection, **context)
        return (f"+({sql})" if compiler.query.order_by else sql), parameters
