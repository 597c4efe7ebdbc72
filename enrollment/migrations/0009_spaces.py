"""Attempts, rules and rounds of invitations carry the number of a device space."""

from django.db import migrations, models

from epmm import migrating


def space_of(model):
    return migrating.AddColumn(model, "space_id", models.IntegerField(db_default=1, default=1))


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0008_terms_of_devices")]
    operations = [
        space_of("attempt"),
        space_of("invitationround"),
        space_of("rule"),
    ]
