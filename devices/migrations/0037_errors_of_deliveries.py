"""What speaks against a profile is kept in the parts of its sentence, so that each reads it in their own language."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    dependencies = [("devices", "0036_spaces")]
    operations = [migrating.AddColumn("configurationdelivery", "error_parts", models.JSONField(null=True))]
