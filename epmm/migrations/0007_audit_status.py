from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("epmm", "0006_scheduled_runs")]
    operations = [
        migrating.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["status", "at", "id"], name="audit_status"),
        ),
    ]
