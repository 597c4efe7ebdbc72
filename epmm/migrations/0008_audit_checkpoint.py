import epmm.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("epmm", "0007_audit_status")]

    operations = [
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("told", epmm.fields.EncryptedField()),
            ],
        ),
    ]
