"""A wake that a clock which was ahead asked for is known by it."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    dependencies = [("devices", "0049_secrets_of_own_devices")]
    operations = [
        migrating.AddColumn("wake", "asked_at", models.DateTimeField(null=True)),
    ]
