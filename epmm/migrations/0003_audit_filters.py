from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("epmm", "0002_job_request_id")]

    operations = [
        migrations.AddIndex(
            model_name="auditentry", index=models.Index(fields=["action", "at", "id"], name="audit_action")
        ),
        migrations.AddIndex(
            model_name="auditentry", index=models.Index(fields=["actor", "at", "id"], name="audit_actor")
        ),
        migrations.AddIndex(
            model_name="auditentry", index=models.Index(fields=["subject", "at", "id"], name="audit_subject")
        ),
    ]
