"""A state that nothing ever had; the database knows no states, so nothing changes there."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("devices", "0025_declaration_runs"),
    ]

    operations = [
        migrations.AlterField(
            model_name="configurationdelivery",
            name="state",
            field=models.CharField(
                choices=[
                    ("PENDING", "Pending"),
                    ("SENT", "Sent"),
                    ("APPLIED", "Applied"),
                    ("FAILED", "Failed"),
                    ("REVOKED", "Revoked"),
                    ("UPDATE_PENDING", "Update pending"),
                    ("UPDATE_FAILED", "Update failed"),
                    ("UNKNOWN", "Unknown"),
                ],
                default="PENDING",
                max_length=20,
            ),
        ),
    ]
