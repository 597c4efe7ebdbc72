"""Audit entries carry the number of a device space."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    dependencies = [("epmm", "0010_webhooks")]
    operations = [
        migrating.AddColumn("auditentry", "space_id", models.IntegerField(db_default=1, default=1)),
    ]
