"""Devices are asked for their inventory again, and certificates renewed, by themselves.

Columns are added in place, one table locked for a moment after the other.  All that is enrolled is due at once, and is
asked as fast as regular work goes.
"""

from datetime import UTC, datetime

import django.utils.timezone
from django.db import migrations, models

from epmm import migrating


def routine(model):
    return migrating.AddColumn(model, "is_routine", models.BooleanField(db_default=False, default=False))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0040_wakes")]
    operations = [
        routine("command"),
        routine("result"),
        routine("finishedcommand"),
        migrating.AddColumn("identity", "renewal_asked_at", models.DateTimeField(null=True)),
        migrating.AddColumn("identity", "renewal_command_id", models.BigIntegerField(null=True)),
        migrating.AddColumn(
            "enrollment",
            "inventory_asked_at",
            models.DateTimeField(db_default=datetime(1970, 1, 1, tzinfo=UTC), default=django.utils.timezone.now),
        ),
        migrating.AddIndex(
            "enrollment",
            models.Index(fields=["state", "inventory_asked_at", "id"], name="enrollment_inventory"),
        ),
    ]
