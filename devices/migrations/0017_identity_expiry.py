from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0016_enrollment_id")]

    operations = [
        migrating.AddIndex(
            model_name="identity",
            index=models.Index(
                condition=models.Q(("state", 2)), fields=["not_after", "id"], name="identity_expires"
            ),
        ),
    ]
