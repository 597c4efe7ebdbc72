from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("epmm", "0004_audit_seal")]
    operations = [
        migrations.AddIndex(
            model_name="auditentry",
            index=models.Index(fields=["status", "at", "id"], name="audit_status"),
        ),
    ]
