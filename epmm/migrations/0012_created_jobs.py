"""A job that a clock which was ahead wrote is known by it."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    dependencies = [("epmm", "0011_spaces")]
    operations = [
        migrating.AddColumn("job", "created_at", models.DateTimeField(null=True)),
    ]
