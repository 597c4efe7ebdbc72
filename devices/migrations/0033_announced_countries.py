"""The countries of devices that were announced, from their details; those of others come with the next inventory."""

from django.db import migrations

from epmm import migrating


def missing(devices):
    return devices.filter(home_country="", details__Registration__Country__isnull=False)


def fill(devices):
    for device in devices.only("details"):
        devices.filter(pk=device.pk).update(home_country=device.details["Registration"]["Country"])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0032_search_fields")]
    operations = [migrating.FillInChunks("device", missing, fill)]
