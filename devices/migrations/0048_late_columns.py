"""Two columns joined 0043 after it had been in use without them; who applied it then gets them here.

Without them every report, and whatever a device asks about its declarations, is answered 503.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def add_missing(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    connection = schema_editor.connection
    for model_name, name in (("StatusReport", "came_at"), ("DeclarationSet", "items_served_at")):
        model = apps.get_model("devices", model_name)
        with connection.cursor() as cursor:
            columns = connection.introspection.get_table_description(cursor, model._meta.db_table)
        if name not in {column.name for column in columns}:
            # in place on SQLite, too, as migrating.AddColumn does it
            BaseDatabaseSchemaEditor.add_field(schema_editor, model, model._meta.get_field(name))


class Migration(migrations.Migration):
    atomic = False  # each column by itself: their locks and those of a report would wait for one another
    dependencies = [("devices", "0047_deliveries_in_order")]
    operations = [migrations.RunPython(add_missing, migrations.RunPython.noop)]
