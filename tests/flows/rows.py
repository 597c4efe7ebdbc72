"""What stands in the database, to say that something changed nothing."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from django.apps import apps
from django.db import connection, models

from enrollment.models import AccessToken, AttemptStep
from epmm.models import Heartbeat

Rows: TypeAlias = Mapping[str, list[tuple[Any, ...]]]

# A trace grows with each try, and a token whose delivery failed cannot be delivered again: only its hash is known.
GROWING: Final = frozenset({AttemptStep, AccessToken, Heartbeat})
APPS: Final = ("epmm", "users", "devices", "enrollment")


def rows(*, ignored: Collection[str] = ()) -> Rows:
    """All of ours, but for the times and for what may grow."""
    watched = [model for model in _models() if model not in GROWING and model.__name__ not in ignored]
    return {model.__name__: _rows(model) if holds_some else [] for model, holds_some in _holding(watched)}


def changed(before: Rows, after: Rows) -> set[str]:
    """The names of the tables that differ."""
    return {name for name in before if before[name] != after[name]}


def _models() -> list[type[models.Model]]:
    return [model for app in APPS for model in apps.get_app_config(app).get_models()]


def _holding(watched: Sequence[type[models.Model]]) -> Iterator[tuple[type[models.Model], bool]]:
    """Most tables are empty, and one statement says so."""
    tables = (connection.ops.quote_name(model._meta.db_table) for model in watched)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'EXISTS (SELECT 1 FROM {table})' for table in tables)}")
        return zip(watched, cursor.fetchone(), strict=True)


def _rows(model: type[models.Model]) -> list[tuple[Any, ...]]:
    columns = [field.attname for field in model._meta.concrete_fields if not isinstance(field, models.DateTimeField)]
    return [
        tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
        for row in model._default_manager.order_by("pk").values_list(*columns)
    ]
