from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("epmm", "0002_job_request_id")]

    operations = [
        migrating.AddIndex(
            model_name="auditentry", index=models.Index(fields=["action", "at", "id"], name="audit_action")
        ),
        migrating.AddIndex(
            model_name="auditentry", index=models.Index(fields=["actor", "at", "id"], name="audit_actor")
        ),
        migrating.AddIndex(
            model_name="auditentry", index=models.Index(fields=["subject", "at", "id"], name="audit_subject")
        ),
    ]
