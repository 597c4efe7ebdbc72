"""Rows of values that a statement takes along as a table: however many they are, it is one statement."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import cache, partial
from itertools import chain
from operator import attrgetter
from typing import Any, Final, TypeAlias

from django.db import connection, models
from django.db.models import Field, Model

NAME: Final = "given"
Fields: TypeAlias = "Sequence[Field[Any, Any]]"
Rows: TypeAlias = Sequence[Sequence[Any]]
Preparing: TypeAlias = "Callable[[Field[Any, Any]], Callable[[Any], Any]]"
AS_THEY_ARE: Final = (
    models.BooleanField,
    models.CharField,
    models.FloatField,
    models.IntegerField,
    models.TextField,
)  # `str`, `int`, `float`, `bool` and None


class Given:
    """`WITH given (...) AS (...)`: for each row what belongs into these columns of the model."""

    def __init__(self, model: type[Model], columns: Sequence[str], rows: Rows) -> None:
        named = {field.column: field for field in model._meta.concrete_fields}
        source = _recordset if connection.vendor == "postgresql" else _values
        table, self.parameters = source([named[column] for column in columns], rows)
        self.clause = f"WITH {NAME} ({', '.join(columns)}) AS ({table})"


def _recordset(fields: Fields, rows: Rows) -> tuple[str, list[Any]]:
    """All in one parameter: psycopg takes a statement apart at each, and PostgreSQL makes a node of each.

    Types come without their length, to which a cast would cut in silence.
    """
    kinds = ", ".join(f"{field.column} {(field.db_type(connection) or '').partition('(')[0]}" for field in fields)
    names = [field.column for field in fields]
    ready = _prepared(fields, rows, lambda field: field.get_prep_value, _moment)
    told = [dict(zip(names, row, strict=True)) for row in ready]
    table = f"SELECT * FROM json_to_recordset(%s) AS told ({kinds})"  # noqa: S608 -- names of our own models
    return table, [json.dumps(told, default=_text)]


def _moment(value: datetime | None) -> str | None:
    return None if value is None else str(value)


def _text(value: Any) -> str:
    """What JSON has no word for, as PostgreSQL reads it."""
    return f"\\x{value.hex()}" if isinstance(value, bytes | memoryview) else str(value)


def _values(fields: Fields, rows: Rows) -> tuple[str, list[Any]]:
    def preparing(field: "Field[Any, Any]") -> Callable[[Any], Any]:
        return partial(field.get_db_prep_save, connection=connection)

    row = f"({', '.join(['%s'] * len(fields))})"
    ready = _prepared(fields, rows, preparing, preparing(models.DateTimeField()))
    return f"VALUES {', '.join([row] * len(rows))}", list(chain.from_iterable(ready))


def _prepared(fields: Fields, rows: Rows, preparing: Preparing, moment: Callable[[Any], Any]) -> Rows:
    """Column by column: most values are as a database takes them, and there are thousands.

    One `moment` often stands in several columns and rows.
    """
    once = cache(moment)

    def ready(field: "Field[Any, Any]", column: Sequence[Any]) -> Iterable[Any]:
        if isinstance(field, AS_THEY_ARE):
            return column
        return map(once if isinstance(field, models.DateTimeField) else preparing(field), column)

    return list(zip(*map(ready, fields, zip(*rows, strict=True)), strict=True))


def update_each(rows: Sequence[Model], columns: Sequence[str]) -> None:
    """Write these columns of each row.

    `bulk_update` does the same by a CASE for each column, at a cost that grows with rows times rows times columns.
    """
    most = _most_parameters() // (len(columns) + 1)
    for start in range(0, len(rows), most):
        _update(rows[start : start + most], columns)


def _most_parameters() -> int:
    """Of one statement.  Django knows SQLite of long ago, whose statements took 999."""
    if connection.vendor == "postgresql":
        return 1 << 16
    connection.ensure_connection()
    return int(connection.connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER))


def _update(rows: Sequence[Model], columns: Sequence[str]) -> None:
    model = type(rows[0])
    table, key = model._meta.db_table, model._meta.pk.attname
    written = [key, *columns]
    given = Given(model, written, list(map(attrgetter(*written), rows)))
    new = ", ".join(f"{column} = {NAME}.{column}" for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{given.clause} UPDATE {table} SET {new} FROM {NAME} WHERE {table}.{key} = {NAME}.{key}",  # noqa: S608 -- names of our own models
            given.parameters,
        )
