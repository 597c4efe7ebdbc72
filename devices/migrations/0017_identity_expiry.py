from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("devices", "0016_enrollment_id")]

    operations = [
        migrations.AddIndex(
            model_name="identity",
            index=models.Index(
                condition=models.Q(("state", 2)), fields=["not_after", "id"], name="identity_expires"
            ),
        ),
    ]
