from django.db import migrations, models


class Migration(migrations.Migration):
    # wider than before: the previous release writes nothing that it refuses
    dependencies = [("devices", "0012_built_in_labels")]

    operations = [
        migrations.RemoveConstraint("command", "command_is_open"),
        migrations.AddConstraint(
            "command",
            models.CheckConstraint(
                condition=models.Q(("state__lte", 2), ("state", 6), _connector="OR"), name="command_in_queue"
            ),
        ),
        migrations.AddField("channel", "push_leased_until", models.DateTimeField(null=True)),
        migrations.AddField("channel", "push_failures", models.SmallIntegerField(db_default=0, default=0)),
    ]
