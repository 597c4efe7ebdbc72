"""Pages of a search, last contact first, go to few rows in vain: kind, OS and country stand in the index."""

from django.db import migrations, models

from epmm import migrating


def by_contact(name, *, country):
    condition = models.Q((country, ""), _negated=True)
    return models.Index(fields=[country, "-last_seen_at", "-id"], condition=condition, name=name)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0037_errors_of_deliveries")]
    operations = [
        migrating.AddIndex(
            model_name="device",
            index=models.Index(
                fields=["-last_seen_at", "-id", "enrollment_type", "os_version_number"],
                condition=models.Q(("status", "RETIRED"), _negated=True),
                name="device_seen_kind",
            ),
        ),
        migrating.RemoveIndex(model_name="device", name="device_seen"),
        migrating.AddIndex(model_name="device", index=by_contact("device_home_seen", country="home_country")),
        migrating.RemoveIndex(model_name="device", name="device_home_country"),
        migrating.AddIndex(model_name="device", index=by_contact("device_current_seen", country="current_country")),
        migrating.RemoveIndex(model_name="device", name="device_current_country"),
    ]
