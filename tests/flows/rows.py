"""What stands in the database, to say that something changed nothing."""

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeAlias

from django.apps import apps
from django.db import connection, models

from enrollment.models import AccessToken, AttemptStep
from epmm.models import Heartbeat
from tests import emptying

Rows: TypeAlias = Mapping[str, list[tuple[Any, ...]]]

# A trace grows with each try, and a token whose delivery failed cannot be delivered again: only its hash is known.
GROWING: Final = frozenset({AttemptStep, AccessToken, Heartbeat})
APPS: Final = ("epmm", "users", "devices", "enrollment")


def rows(*, ignored: Collection[str] = ()) -> Rows:
    """All of ours, but for the times and for what may grow."""
    watched = [model for model in _models() if model not in GROWING and model.__name__ not in ignored]
    filled = emptying.holding_rows()  # few, and asking for each by itself takes long
    names = {model: connection.ops.quote_name(model._meta.db_table) for model in watched}
    return {model.__name__: _rows(model) if names[model] in filled else [] for model in watched}


def changed(before: Rows, after: Rows) -> set[str]:
    """The names of the tables that differ."""
    return {name for name in before if before[name] != after[name]}


def _models() -> list[type[models.Model]]:
    return [model for app in APPS for model in apps.get_app_config(app).get_models()]


def _rows(model: type[models.Model]) -> list[tuple[Any, ...]]:
    columns = [field.attname for field in model._meta.concrete_fields if not isinstance(field, models.DateTimeField)]
    return [
        tuple(bytes(value) if isinstance(value, memoryview) else value for value in row)
        for row in model._default_manager.order_by("pk").values_list(*columns)
    ]
