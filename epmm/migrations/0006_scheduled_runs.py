from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("epmm", "0005_audit_exports")]

    operations = [
        migrations.CreateModel(
            name="ScheduledRun",
            fields=[
                ("name", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("actor", models.CharField(blank=True, max_length=255)),
                ("result", models.JSONField(default=dict)),
            ],
        ),
    ]
