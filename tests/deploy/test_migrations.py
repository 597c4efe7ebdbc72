"""An upgrade migrates while the release before it goes on serving."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.core.management import call_command
from django.db import connection, migrations
from django.db.migrations import executor
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.recorder import MigrationRecorder

from epmm import migrating
from tests.epmm.processes import ROOT
from tests.unsquashed import Loader

RECORDED: Final = Path(__file__).parent / "migrations.sha256"
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
    ("devices.0039_indexes_of_kinds", "RunPython"): "it says CONCURRENTLY, too, by migrating.create_index",
    ("devices.0048_late_columns", "RunPython"): "it adds columns with null, where they are not",
    ("devices.0013_called_back", "AddConstraint"): "open commands are looked through in a moment, however many devices",
    ("devices.0022_label_names_folded", "AddConstraint"): "labels are few",
    ("users.0025_index_of_accounts", "AddConstraint"): "100,000 people are looked through in a tenth of a second",
    ("users.0025_index_of_accounts", "AlterField"): "the index is dropped; SQLite copies the people in a second",
    ("enrollment.0006_named_terms", "AddConstraint"): "texts are few",
    ("users.0006_encrypt_second_factors", "RunPython"): "administrators with a second factor are few",
    ("users.0002_administrators", "RunPython"): "administrators are few, and what it fills is a new table",
}
NAMES = {
    "sqlite": "SELECT name FROM sqlite_schema",
    "postgresql": "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace",
}


def loaded() -> Iterator[tuple[str, Migration]]:
    """All but those that make an empty database."""
    for (label, name), migration in sorted(Loader(None).disk_migrations.items()):
        if label in OURS and not name.startswith("0001_"):
            yield f"{label}.{name}", migration


LOADED = dict(loaded())


@pytest.mark.parametrize("name", LOADED)
def test_the_release_before_it_goes_on_serving(name: str) -> None:
    """It inserts rows without naming the new column, and reads those that it knows; no table is closed to it."""
    label, _, number = name.partition(".")
    migration, loader = LOADED[name], Loader(None)
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


def test_what_somebody_may_have_applied_stays_as_it_is() -> None:
    recorded = [line.split() for line in RECORDED.read_text().splitlines()]
    files = (path for label in OURS for path in (ROOT / label / "migrations").glob("0*.py"))
    there = {path.relative_to(ROOT).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    assert there == {name: digest for digest, name in recorded}, (
        f"An applied migration never runs again: add another one, and `sha256sum FILE >> {RECORDED.relative_to(ROOT)}`"
    )


def test_what_is_excused_is_there() -> None:
    there = {(name, type(each).__name__) for name, migration in LOADED.items() for each in migration.operations}

    assert BECAUSE.keys() <= there


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("before_the_last", [("devices", "0037_errors_of_deliveries"), ("users", "0026_names_begin")])
def test_whoever_stands_in_the_middle_of_what_is_squashed_goes_on(
    monkeypatch: pytest.MonkeyPatch, before_the_last: tuple[str, str]
) -> None:
    complete, recorded = columns_and_indexes(), MigrationRecorder.Migration.objects.filter(app__in=OURS)
    names = set(recorded.values_list("app", "name"))
    recorded.filter(name__contains="_squashed_").delete()
    with monkeypatch.context() as patch:
        patch.setattr(executor, "MigrationLoader", Loader)
        executor.MigrationExecutor(connection).migrate([before_the_last])
    assert columns_and_indexes() != complete

    call_command("migrate", verbosity=0)

    assert columns_and_indexes() == complete
    assert set(recorded.values_list("app", "name")) == names


def columns_and_indexes() -> tuple[set[str], set[tuple[str]]]:
    look = connection.introspection
    with connection.cursor() as cursor:
        tables = {table: look.get_table_description(cursor, table) for table in look.table_names(cursor)}
        cursor.execute(NAMES[connection.vendor])
        return {f"{table} {column[:7]}" for table in tables for column in tables[table]}, set(cursor.fetchall())
