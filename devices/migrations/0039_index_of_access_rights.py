"""Settings says how many devices have other rights than enrollment profiles ask for now."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0038_indexes_of_searches")]
    operations = [
        migrating.AddIndex(
            "enrollment", models.Index(fields=["state", "kind", "access_rights"], name="enrollment_rights")
        ),
    ]
