"""Who is to be woken without a command, in a table of its own.

Its key waits for whoever writes channels just then, and they for it: a moment, however many there are, for it is empty.
"""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("devices", "0039_indexes_of_kinds")]
    operations = [
        migrations.CreateModel(
            name="Wake",
            fields=[
                (
                    "channel",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="wake",
                        serialize=False,
                        to="devices.channel",
                    ),
                ),
                ("at", models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
            ],
        ),
    ]
