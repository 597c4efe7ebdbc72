"""The deliveries of a configuration are listed by state, a page at a time: within a state the index has an order."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0046_partial_questions")]
    operations = [
        migrating.AddIndex(
            "configurationdelivery",
            models.Index(fields=["configuration", "state", "id"], name="delivery_in_state"),
        ),
        migrating.RemoveIndex("configurationdelivery", "delivery_state"),
    ]
