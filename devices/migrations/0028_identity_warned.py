"""When webhooks were told that a certificate of a device ends soon."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("devices", "0027_long_expressions")]
    operations = [migrations.AddField("identity", "warned_at", models.DateTimeField(null=True))]
