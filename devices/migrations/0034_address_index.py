"""Devices by the address that they called from: the one that somebody looks for is one of very many."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0033_announced_countries")]
    operations = [
        migrating.AddIndex(
            model_name="device", index=models.Index(fields=["ip_address"], name="device_ip_address")
        ),
    ]
