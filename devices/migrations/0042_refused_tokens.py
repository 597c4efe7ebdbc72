"""Who connected after their push token was refused is looked for each minute, among all channels.

The index is built beside all that goes on, and empty where no token is refused.
"""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0041_regular_questions")]
    operations = [
        migrating.AddIndex(
            "channel",
            models.Index(
                fields=["push_refused_at"], name="channel_refused", condition=models.Q(push_refused_at__isnull=False)
            ),
        ),
    ]
