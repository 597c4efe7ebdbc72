"""Rows of values that a statement takes along as a table: however many they are, it is one statement."""

from collections.abc import Sequence
from typing import Any, Final

from django.db import connection
from django.db.models import Model

NAME: Final = "given"


class Given:
    """`WITH given (...) AS (VALUES ...)`: for each row what belongs into these columns of the model."""

    def __init__(self, model: type[Model], columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        fields = {field.column: field for field in model._meta.concrete_fields}
        self._fields = {column: fields[column] for column in columns}
        row = f"({', '.join(['%s'] * len(columns))})"
        self.clause = f"WITH {NAME} ({', '.join(columns)}) AS (VALUES {', '.join([row] * len(rows))})"
        prepare = [field.get_db_prep_save for field in self._fields.values()]
        self.parameters = [
            each(value, connection=connection) for values in rows for each, value in zip(prepare, values, strict=True)
        ]

    def __getitem__(self, column: str) -> str:
        """The column by its type: PostgreSQL takes NULL alone for text."""
        if not connection.features.requires_casted_case_in_updates:
            return f"{NAME}.{column}"
        # without its length, to which a cast would cut in silence
        kind, _, _ = (self._fields[column].db_type(connection) or "").partition("(")
        return f"CAST({NAME}.{column} AS {kind})"


def update_each(rows: Sequence[Model], columns: Sequence[str]) -> None:
    """Write these columns of each row.

    `bulk_update` does the same by a CASE for each column, at a cost that grows with rows times rows times columns.
    """
    most = (connection.features.max_query_params or 1 << 16) // (len(columns) + 1)
    for start in range(0, len(rows), most):
        _update(rows[start : start + most], columns)


def _update(rows: Sequence[Model], columns: Sequence[str]) -> None:
    model = type(rows[0])
    table, key = model._meta.db_table, model._meta.pk.attname
    given = Given(model, [key, *columns], [[getattr(row, column) for column in [key, *columns]] for row in rows])
    new = ", ".join(f"{column} = {given[column]}" for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"{given.clause} UPDATE {table} SET {new} FROM {NAME} WHERE {table}.{key} = {given[key]}",  # noqa: S608 -- names of our own models
            given.parameters,
        )
