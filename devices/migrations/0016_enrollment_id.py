from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0015_portal")]

    operations = [
        migrating.AddIndex(
            model_name="device",
            index=models.Index(
                condition=models.Q(("enrollment_id", ""), _negated=True),
                fields=["enrollment_id"],
                name="device_enrollment",
            ),
        ),
    ]
