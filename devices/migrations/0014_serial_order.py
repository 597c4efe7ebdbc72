"""The list in the order of serial numbers; whoever asks for one of them is led by the same index."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0013_called_back")]
    operations = [
        migrating.AddIndex(
            model_name="device", index=models.Index(fields=["serial_number", "id"], name="device_serial_order")
        ),
        migrating.RemoveIndex(model_name="device", name="device_serial"),
    ]
