"""An upgrade migrates while the release before it goes on serving."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation

from epmm import migrating

OURS = ("epmm", "users", "devices", "enrollment")
TAKEN_AWAY = (migrations.RemoveField, migrations.RenameField, migrations.RenameModel, migrations.DeleteModel)
AT_ONCE = (
    migrations.CreateModel,
    migrations.AlterModelOptions,
    migrations.AlterModelManagers,
    migrations.RemoveConstraint,
)
GENTLE = (migrating.AddIndex, migrating.RemoveIndex, migrating.FillInChunks)
# What does it some other way, or where there is next to nothing.
BECAUSE = {
    ("devices.0003_storage", "RunPython"): "the archive was made by the migration before, and is empty",
    ("devices.0011_search_indexes", "RunPython"): "it says CONCURRENTLY, too, by migrating.create_index",
    ("devices.0012_built_in_labels", "RunPython"): "it adds nine rows to labels",
    ("devices.0013_called_back", "AddConstraint"): "open commands are looked through in a moment, however many devices",
    ("devices.0022_label_names_folded", "AddConstraint"): "labels are few",
    ("users.0025_index_of_accounts", "AddConstraint"): "100,000 people are looked through in a tenth of a second",
    ("users.0025_index_of_accounts", "AlterField"): "the index is dropped; SQLite copies the people in a second",
    ("enrollment.0006_named_terms", "AddConstraint"): "texts are few",
    ("users.0006_encrypt_second_factors", "RunPython"): "administrators with a second factor are few",
    ("users.0002_administrators", "RunPython"): "administrators are few, and what it fills is a new table",
}


def loaded() -> Iterator[tuple[str, Migration]]:
    """All but those that make an empty database."""
    for (label, name), migration in sorted(MigrationLoader(None).disk_migrations.items()):
        if label in OURS and not name.startswith("0001_"):
            yield f"{label}.{name}", migration


LOADED = dict(loaded())


@pytest.mark.parametrize("name", LOADED)
def test_the_release_before_it_goes_on_serving(name: str) -> None:
    """It inserts rows without naming the new column, and reads those that it knows; no table is closed to it."""
    label, _, number = name.partition(".")
    migration, loader = LOADED[name], MigrationLoader(None)
    state = loader.project_state((label, number), at_end=False)
    before = set(state.models)
    for operation in migration.operations:
        assert not isinstance(operation, TAKEN_AWAY), "what the release before this one reads may go with the next one"
        if (name, type(operation).__name__) not in BECAUSE:
            assert is_gentle(operation, label, state, before), f"{operation.describe()}: see epmm/migrating.py"
        if isinstance(operation, GENTLE):
            assert not migration.atomic
        operation.state_forwards(label, state)


def is_gentle(operation: Operation, label: str, state: Any, before: set[tuple[str, str]]) -> bool:
    """Of large tables there is no list: each that was there before may be one."""
    if isinstance(operation, (*AT_ONCE, *GENTLE)):
        return True
    if not isinstance(operation, migrations.RunPython | migrations.RunSQL | migrations.SeparateDatabaseAndState):
        table = (label, str(getattr(operation, "model_name", "")).lower())
        if table not in before:
            return True
    field: Any = getattr(operation, "field", None)
    if isinstance(operation, migrations.AddField):
        stays = field.null or field.has_db_default() or field.many_to_many
        return bool(stays) and not (field.db_index or field.unique)
    if isinstance(operation, migrations.AlterField):
        old = state.apps.get_model(*table)._meta.get_field(operation.name)
        operation.state_forwards(label, after := state.clone())
        new = after.apps.get_model(*table)._meta.get_field(operation.name)
        return not connection.schema_editor()._field_should_be_altered(old, new)  # type: ignore[attr-defined] # private
    return False


def test_what_is_excused_is_there() -> None:
    there = {(name, type(each).__name__) for name, migration in LOADED.items() for each in migration.operations}

    assert BECAUSE.keys() <= there
