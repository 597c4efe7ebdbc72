"""Urgent commands are pushed before all others that are due, however many those are.

The index is built beside all that goes on, and empty where nothing urgent is open.
"""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0043_unread_reports")]
    operations = [
        migrating.AddIndex(
            "command",
            models.Index(fields=["push_at"], name="command_push_urgent", condition=models.Q(priority__lt=0)),
        ),
    ]
