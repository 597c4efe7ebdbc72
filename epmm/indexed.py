"""Words that lead to an index which the ORM's own pass by: a partial one, or one that knows how texts begin."""
# ruff: noqa: ARG002 - the signatures are Django's

import sys
from typing import Any

from django.db.models import BooleanField, F, Func, Q, TextField, Value


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
