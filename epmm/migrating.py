"""What migrations do to large tables while the previous release serves: nobody waits for longer than a moment.

Indexes and chunks need `atomic = False` on their migration, and may be repeated when it was broken off: what is done
stays done.
"""

from collections.abc import Callable
from typing import Any, Final

from django.db import NotSupportedError, connections, migrations, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

CHUNK: Final = 500
# Of an index that could not be completed the name is left.
IS_VALID: Final = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"


def create_index(connection: BaseDatabaseWrapper, name: str, create: Callable[[], object]) -> None:
    """On PostgreSQL `create` says CONCURRENTLY; what it left behind the last time is cleared away."""
    _refuse_transaction(connection)
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute("SELECT true FROM sqlite_master WHERE type = 'index' AND name = %s", [name])
        else:
            cursor.execute(IS_VALID, [connection.ops.quote_name(name)])
        found = cursor.fetchone()
        if found and not found[0]:
            cursor.execute(f"DROP INDEX CONCURRENTLY {connection.ops.quote_name(name)}")
    if not found or not found[0]:
        create()


class AddIndex(migrations.AddIndex):
    """PostgreSQL builds it beside all that goes on; SQLite has no such thing, and its writers wait for seconds."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            create_index(
                schema_editor.connection,
                self.index.name,
                lambda: schema_editor.add_index(model, self.index, **_aside(schema_editor)),
            )

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        _refuse_transaction(schema_editor.connection)
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            schema_editor.remove_index(model, self.index, **_aside(schema_editor))


class RemoveIndex(migrations.RemoveIndex):
    """The counterpart; going back builds the index again."""

    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        self._opposite(from_state, app_label).database_backwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        self._opposite(to_state, app_label).database_forwards(app_label, schema_editor, from_state, to_state)

    def _opposite(self, state: ProjectState, app_label: str) -> AddIndex:
        index = state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
        return AddIndex(self.model_name, index)


class AddColumn(migrations.AddField):
    """With a constant as its default in the database.

    SQLite adds it in place, as PostgreSQL does; Django would have it copy the table, indexes and all, for each column.
    What is there already stays.  So columns of tables that one statement uses can come each by itself, with
    `atomic = False`: in one transaction their locks and those of the statement would wait for one another.
    """

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            field = model._meta.get_field(self.name)
            with schema_editor.connection.cursor() as cursor:
                columns = schema_editor.connection.introspection.get_table_description(cursor, model._meta.db_table)
            if field.column not in {column.name for column in columns}:
                BaseDatabaseSchemaEditor.add_field(schema_editor, model, field)


class FillInChunks(Operation):
    """Columns of rows that are there already.  Each chunk is a transaction of its own.

    `missing` narrows a query set to the rows that are still to be filled, `fill` is called with the rows of one chunk,
    locked.  A row that somebody else holds is left for later, and then waited for alone: whoever locks several rows in
    another order than ours would else wait for us, and we for them.
    """

    reversible = True
    reduces_to_sql = False

    def __init__(
        self,
        model_name: str,
        missing: Callable[[models.QuerySet[Any]], models.QuerySet[Any]],
        fill: Callable[[models.QuerySet[Any]], None],
    ) -> None:
        self.model_name, self.missing, self.fill = model_name, missing, fill

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        _refuse_transaction(schema_editor.connection)
        model = from_state.apps.get_model(app_label, self.model_name)
        alias = schema_editor.connection.alias
        if self.allow_migrate_model(alias, model):
            rows: models.QuerySet[Any] = models.QuerySet(model, using=alias)
            self._fill(rows, at_once=CHUNK, skip=schema_editor.connection.features.has_select_for_update_skip_locked)
            self._fill(rows, at_once=1, skip=False)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        pass

    def describe(self) -> str:
        return f"Fill columns of {self.model_name}, some rows at a time"

    def _fill(self, rows: models.QuerySet[Any], *, at_once: int, skip: bool) -> None:
        last = None
        while True:
            with transaction.atomic(using=rows.db):
                some = self.missing(rows.all() if last is None else rows.filter(pk__gt=last)).order_by("pk")
                keys = list(some.select_for_update(skip_locked=skip).values_list("pk", flat=True)[:at_once])
                if not keys:
                    return
                self.fill(rows.filter(pk__in=keys))
                last = keys[-1]


def _aside(schema_editor: BaseDatabaseSchemaEditor) -> dict[str, Any]:
    return {"concurrently": True} if schema_editor.connection.vendor == "postgresql" else {}


def _refuse_transaction(connection: BaseDatabaseWrapper) -> None:
    if connection.in_atomic_block:
        raise NotSupportedError("set atomic = False on the migration")


def update_each(rows: models.QuerySet[Any], statement: str, values: list[tuple[Any, ...]]) -> None:
    with connections[rows.db].cursor() as cursor:
        cursor.executemany(statement, values)


class CreateModels(migrations.SeparateDatabaseAndState):
    """All tables of an app: Django would make the classes of its models anew with each table that refers to them."""

    def __init__(self, models: list[migrations.CreateModel]) -> None:
        super().__init__(state_operations=models)

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        state.__dict__.pop("apps", None)  # what has been rendered; it is again, once, when somebody asks for it
        super().state_forwards(app_label, state)

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        for each in self.state_operations:
            each.database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        for each in reversed(self.state_operations):
            each.database_backwards(app_label, schema_editor, from_state, to_state)
