"""Devices of a status in the order of their registration, who left when, and where devices call."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0025_duplicates")]
    operations = [
        migrating.AddIndex(
            model_name="device",
            index=models.Index(fields=["status", "-registered_at", "-id"], name="device_status_registered"),
        ),
        migrating.AddIndex(
            model_name="device",
            index=models.Index(
                fields=["retired_at", "status"],
                condition=models.Q(("retired_at__isnull", False)),
                name="device_retired_at",
            ),
        ),
        migrating.AddIndex(
            model_name="device",
            index=models.Index(
                fields=["platform", "os_version_number"],
                condition=models.Q(("status", "RETIRED"), _negated=True),
                name="device_systems",
            ),
        ),
        migrating.AddIndex(
            model_name="enrollment",
            index=models.Index(fields=["state", "server_url"], name="enrollment_calls"),
        ),
    ]
