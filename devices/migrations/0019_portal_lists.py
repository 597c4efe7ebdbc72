"""Lists and counts of the portal.  Names are listed with retired records or without, so their indexes hold all."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0018_custom_attributes")]
    operations = [
        migrating.RemoveIndex(model_name="device", name="device_user_name"),
        migrating.RemoveIndex(model_name="device", name="device_name"),
        migrating.AddIndex(
            model_name="device", index=models.Index(fields=["user_name_folded", "id"], name="device_user_name")
        ),
        migrating.AddIndex(model_name="device", index=models.Index(fields=["name_folded", "id"], name="device_name")),
        migrating.AddIndex(
            model_name="device",
            index=models.Index(fields=["status", "platform", "enrollment_type", "os_version"], name="device_kinds"),
        ),
        migrating.AddIndex(
            model_name="enrollment",
            index=models.Index(fields=["topic", "state", "device"], name="enrollment_topic"),
        ),
        migrations.AddField(model_name="broadcast", name="outcome", field=models.JSONField(default=None, null=True)),
    ]
