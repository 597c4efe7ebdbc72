"""What is searched for, and stood nowhere or among the details: countries, networks, addresses, terms, updates."""

from django.db import migrations, models

from epmm import migrating


def text(name, longest):
    field = models.CharField(blank=True, db_default="", default="", max_length=longest)
    return migrating.AddColumn("device", name, field)


class Migration(migrations.Migration):
    dependencies = [("devices", "0031_low_batteries")]
    operations = [
        text("home_country", 2),
        text("current_country", 2),
        text("current_mcc", 3),
        text("carrier_settings_version", 32),
        text("os_update_status", 32),
        text("ip_address", 39),
        migrations.AddField("device", "terms_accepted_at", models.DateTimeField(null=True)),
    ]
