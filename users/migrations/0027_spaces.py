"""Custom attributes and what is done to many people carry the number of a device space."""

from django.db import migrations, models

from epmm import migrating


def space_of(model):
    return migrating.AddColumn(model, "space_id", models.IntegerField(db_default=1, default=1))


class Migration(migrations.Migration):
    dependencies = [("users", "0026_names_begin")]
    operations = [
        space_of("customattribute"),
        space_of("peoplerun"),
    ]
