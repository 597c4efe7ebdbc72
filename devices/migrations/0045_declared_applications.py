"""Applications that declarations manage are told by status reports, and by no answer to ManagedApplicationList.

What is there was answered, and so is what the previous release writes; hence the default in the database.
"""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0044_urgent_pushes")]
    operations = [
        migrating.AddColumn("managedapplication", "is_declared", models.BooleanField(db_default=False, default=False)),
    ]
