"""Actions on people that the worker carries out, and how many are in a group."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import epmm.fields


class Migration(migrations.Migration):
    dependencies = [("users", "0020_sign_in_limits")]
    operations = [
        migrations.AddField("group", "people", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.CreateModel(
            name="PeopleRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("action", models.CharField(max_length=32)),
                ("values", epmm.fields.EncryptedField()),
                ("asked", models.TextField(blank=True)),
                ("actor", models.CharField(max_length=255)),
                ("address", models.GenericIPAddressField(null=True)),
                ("language", models.CharField(blank=True, max_length=16)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("stopped_at", models.DateTimeField(null=True)),
                ("done_at", models.DateTimeField(null=True)),
                ("refusal", models.CharField(blank=True, max_length=500)),
                ("number", models.PositiveIntegerField()),
                ("done", models.PositiveIntegerField(default=0)),
                ("skipped", models.PositiveIntegerField(default=0)),
                ("last_result", models.BigIntegerField(default=0)),
                ("closed_at", models.DateTimeField(null=True)),
            ],
            options={"indexes": [models.Index(fields=["created_at"], name="people_run_created")]},
        ),
        migrations.CreateModel(
            name="PeopleResult",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.SmallIntegerField(choices=[(0, "Waiting"), (1, "Done"), (2, "Skipped")], default=0),
                ),
                ("said", models.CharField(blank=True, max_length=500)),
                ("secret", epmm.fields.EncryptedField(null=True)),
                (
                    "run",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="results",
                        to="users.peoplerun",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["run", "id"], name="people_result_of_run"),
                    models.Index(fields=["run", "state", "id"], name="people_result_by_state"),
                ]
            },
        ),
    ]
