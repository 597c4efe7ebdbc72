from django.db import migrations, models

from epmm.index_aside import AddIndexAside


class Migration(migrations.Migration):
    # every change is audited, and none may wait until a long log has been sorted three times
    atomic = False
    dependencies = [("epmm", "0002_job_request_id")]

    operations = [
        AddIndexAside(
            model_name="auditentry", index=models.Index(fields=["action", "at", "id"], name="audit_action")
        ),
        AddIndexAside(
            model_name="auditentry", index=models.Index(fields=["actor", "at", "id"], name="audit_actor")
        ),
        AddIndexAside(
            model_name="auditentry", index=models.Index(fields=["subject", "at", "id"], name="audit_subject")
        ),
    ]
