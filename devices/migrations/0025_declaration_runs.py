"""Declarations for many devices at once: what was ordered, and how far it has come."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("devices", "0024_reauthentication"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeclarationRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uuid", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("takes", models.BooleanField(default=False)),
                ("for_users", models.BooleanField(default=False)),
                ("actor", models.CharField(max_length=255)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("done_at", models.DateTimeField(null=True)),
                ("stopped_at", models.DateTimeField(null=True)),
                ("selection", models.JSONField(default=dict)),
                ("next_device", models.BigIntegerField(default=0)),
                ("changed", models.PositiveIntegerField(default=0)),
                ("unchanged", models.PositiveIntegerField(default=0)),
                ("refused", models.PositiveIntegerField(default=0)),
                ("refusals", models.JSONField(default=dict)),
                (
                    "declaration",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="runs", to="devices.declaration"
                    ),
                ),
            ],
        ),
    ]
