"""Devices whose battery is nearly empty, which are few, and searched for."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0030_no_quarantine_revoked")]
    operations = [
        migrating.AddIndex(
            model_name="device",
            index=models.Index(
                fields=["battery_level"], condition=models.Q(("battery_level__lt", 0.2)), name="device_battery_low"
            ),
        ),
    ]
