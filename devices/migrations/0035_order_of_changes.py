"""Devices in the order of their changes: without the key PostgreSQL sorts, and a page of them is no walk on an index."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0034_indexes_of_places")]
    operations = [
        migrating.AddIndex(
            model_name="device",
            index=models.Index(fields=["modified_at", "id"], name="device_modified_order"),
        ),
        migrating.RemoveIndex(model_name="device", name="device_modified"),
    ]
