from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("devices", "0015_portal")]

    operations = [
        migrations.AddIndex(
            model_name="device",
            index=models.Index(
                condition=models.Q(("enrollment_id", ""), _negated=True),
                fields=["enrollment_id"],
                name="device_enrollment",
            ),
        ),
    ]
