"""Which records stand beside a better one of the same device, as the worker found them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("devices", "0024_reauthentication")]
    operations = [
        migrations.CreateModel(
            name="Duplicate",
            fields=[
                (
                    "device",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="duplicate",
                        serialize=False,
                        to="devices.device",
                    ),
                ),
            ],
        ),
    ]
