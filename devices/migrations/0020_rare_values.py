"""Devices that a filter label means by what hardly any of them has."""

from django.db import migrations, models

import devices.search.sql
from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0019_portal_lists")]
    operations = [
        migrating.AddIndex(
            model_name="device",
            index=models.Index(
                fields=["status", "platform", "enrollment_type", "owner", "os_version"], name="device_kinds_owned"
            ),
        ),
        migrating.RemoveIndex(model_name="device", name="device_kinds"),
        migrating.AddIndex(
            model_name="device",
            index=models.Index(
                devices.search.sql.AsciiLower("retired_reason"),
                condition=models.Q(("retired_reason", ""), _negated=True),
                name="device_retired_reason",
            ),
        ),
        migrating.AddIndex(
            model_name="device",
            index=models.Index(
                fields=["enrollment_failed_at"],
                condition=models.Q(("enrollment_failed_at__isnull", False)),
                name="device_failed",
            ),
        ),
    ]
