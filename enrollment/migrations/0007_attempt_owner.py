"""Whose device it is, as its person said while enrolling it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0006_named_terms")]
    operations = [
        migrations.AddField("attempt", "owner", models.CharField(blank=True, db_default="", default="", max_length=8))
    ]
