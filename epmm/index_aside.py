"""An index on a table that others go on writing while it is built."""

from typing import Any

from django.apps.registry import Apps
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations import AddIndex
from django.db.migrations.state import ProjectState


class AddIndexAside(AddIndex):
    """In a migration with `atomic = False`.  On PostgreSQL nobody waits; SQLite builds it in the one lock that it has.

    A migration that is broken off here begins anew: what it left goes first.
    """

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        name = schema_editor.quote_name(self.index.name)
        if schema_editor.connection.vendor != "postgresql":
            schema_editor.execute(f"DROP INDEX IF EXISTS {name}")
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        apps: Apps = to_state.apps
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        editor: Any = schema_editor
        editor.add_index(apps.get_model(app_label, self.model_name), self.index, concurrently=True)
