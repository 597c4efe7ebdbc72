"""Outgoing mail, and settings that are secrets."""

import django.utils.timezone
from django.db import migrations, models

import epmm.fields


class Migration(migrations.Migration):
    dependencies = [("epmm", "0008_audit_checkpoint")]
    operations = [
        migrations.AddField("settingrow", "sealed", epmm.fields.EncryptedField(null=True)),
        migrations.CreateModel(
            name="Mail",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("message_id", models.CharField(max_length=255, unique=True)),
                ("kind", models.CharField(max_length=32)),
                ("recipient", models.CharField(max_length=320)),
                ("content", epmm.fields.EncryptedField(null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("sent", "Sent"),
                            ("failed", "Failed"),
                            ("stopped", "Stopped"),
                        ],
                        default="queued",
                        max_length=8,
                    ),
                ),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("next_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("done_at", models.DateTimeField(null=True)),
                ("answer", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "verbose_name_plural": "mail",
                "indexes": [
                    models.Index(condition=models.Q(("state", "queued")), fields=["next_at"], name="mail_queued"),
                    models.Index(fields=["done_at"], name="mail_done"),
                ],
            },
        ),
    ]
