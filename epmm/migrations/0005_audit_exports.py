import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import epmm.fields


class Migration(migrations.Migration):
    dependencies = [("epmm", "0004_audit_seal")]

    operations = [
        migrations.CreateModel(
            name="AuditCheck",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("actor", models.CharField(max_length=255)),
                ("sealed", models.PositiveBigIntegerField()),
                ("waiting", models.PositiveBigIntegerField()),
                ("problems", models.JSONField(default=list)),
                ("problem_count", models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="AuditExport",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("owner", models.CharField(max_length=255)),
                ("asked", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("running", "Being made"), ("done", "Ready")],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("rows", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("done_at", models.DateTimeField(null=True)),
            ],
            options={"indexes": [models.Index(fields=["owner", "-created_at"], name="audit_export_owner")]},
        ),
        migrations.CreateModel(
            name="AuditExportPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("content", epmm.fields.EncryptedField()),
                (
                    "export",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="parts", to="epmm.auditexport"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("export", "number"), name="audit_export_part_once")
                ],
            },
        ),
    ]
