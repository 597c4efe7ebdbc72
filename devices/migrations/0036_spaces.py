"""Labels and what else a device space would own carry its number."""

from django.db import migrations, models

from epmm import migrating


def space_of(model):
    return migrating.AddColumn(model, "space_id", models.IntegerField(db_default=1, default=1))


class Migration(migrations.Migration):
    dependencies = [("devices", "0035_order_of_changes")]
    operations = [
        space_of("actionrun"),
        space_of("broadcast"),
        space_of("configuration"),
        space_of("declaration"),
        space_of("label"),
    ]
