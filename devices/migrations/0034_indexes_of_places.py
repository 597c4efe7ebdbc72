"""Devices by the address that they called from, by where they are, and by where their SIM is from."""

from django.db import migrations, models

from epmm import migrating


def of_those_with(column):
    condition = models.Q((column, ""), _negated=True)
    return migrating.AddIndex("device", models.Index(fields=[column], condition=condition, name=f"device_{column}"))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0033_announced_countries")]
    operations = [
        migrating.AddIndex("device", models.Index(fields=["ip_address"], name="device_ip_address")),
        of_those_with("home_country"),
        of_those_with("current_country"),
    ]
