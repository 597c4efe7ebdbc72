"""The lists in their orders, and on PostgreSQL one trigram index for whatever contains a text.

Without the extension, which a database may lack, the search answers the same, and takes longer.
"""

import devices.search.sql
from django.db import migrations, models

from epmm import migrating

AVAILABLE = "SELECT FROM pg_available_extensions WHERE name = 'pg_trgm'"
MAY_CREATE = "SELECT has_database_privilege(current_database(), 'CREATE')"
THERE = "SELECT FROM pg_extension WHERE extname = 'pg_trgm'"
# fastupdate: contact with a device writes its row anew, and this index with it
INDEX = "CREATE INDEX CONCURRENTLY device_search_text ON devices_device USING gin (search_text gin_trgm_ops)"


def create_trigram_index(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(THERE)
        if cursor.fetchone() is None:
            cursor.execute(AVAILABLE)
            available = cursor.fetchone() is not None
            cursor.execute(MAY_CREATE)
            if not available or not cursor.fetchone()[0]:
                return
            cursor.execute("CREATE EXTENSION pg_trgm")
    migrating.create_index(schema_editor.connection, "device_search_text", lambda: schema_editor.execute(INDEX))


def drop_trigram_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX CONCURRENTLY IF EXISTS device_search_text")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0010_search_text")]
    operations = [
        migrating.AddIndex(
            model_name='device',
            index=models.Index(condition=models.Q(('status', 'RETIRED'), _negated=True), fields=['-last_seen_at', '-id'], name='device_seen'),
        ),
        migrating.AddIndex(
            model_name='device',
            index=models.Index(condition=models.Q(('status', 'RETIRED'), _negated=True), fields=['user_name_folded', 'id'], name='device_user_name'),
        ),
        migrating.AddIndex(
            model_name='device',
            index=models.Index(condition=models.Q(('status', 'RETIRED'), _negated=True), fields=['name_folded', 'id'], name='device_name'),
        ),
        migrating.AddIndex(
            model_name='device',
            index=models.Index(condition=models.Q(('status', 'RETIRED'), _negated=True), fields=['-registered_at', '-id'], name='device_registered'),
        ),
        migrating.AddIndex(
            model_name='device',
            index=models.Index(fields=['modified_at'], name='device_modified'),
        ),
        migrating.AddIndex(
            model_name='device',
            index=models.Index(devices.search.sql.AsciiLower('serial_number'), name='device_serial_any_case'),
        ),
        migrations.RunPython(create_trigram_index, drop_trigram_index),
    ]
