"""Devices of one kind with a new system, which are many, are found by less; and Settings counts other access rights."""

from django.db import migrations, models

from epmm import migrating

# What SQLite knows no distribution of, it would read in this order rather than in that of the page.
NAME = "device_os_kind"
INDEX = f"""
    CREATE INDEX CONCURRENTLY {NAME} ON devices_device (os_version_number, enrollment_type) WHERE status <> 'RETIRED'
"""


def create(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        migrating.create_index(schema_editor.connection, NAME, lambda: schema_editor.execute(INDEX))


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {NAME}")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0038_indexes_of_searches")]
    operations = [
        migrating.AddIndex(
            "enrollment", models.Index(fields=["state", "kind", "access_rights"], name="enrollment_rights")
        ),
        migrations.RunPython(create, drop),
    ]
