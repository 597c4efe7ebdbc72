"""The list in the order of serial numbers; whoever asks for one of them is led by the same index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("devices", "0012_built_in_labels")]
    operations = [
        migrations.AddIndex(
            model_name="device", index=models.Index(fields=["serial_number", "id"], name="device_serial_order")
        ),
        migrations.RemoveIndex(model_name="device", name="device_serial"),
    ]
