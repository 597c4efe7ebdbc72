from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("epmm", "0006_scheduled_runs")]
    operations = [
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["status", "at", "id"], name="audit_status"),
        ),
    ]
