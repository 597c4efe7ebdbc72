import epmm.folding
from django.db import migrations, models


class Migration(migrations.Migration):
    # the previous release names none of the columns, and these are what it writes then
    dependencies = [("devices", "0014_serial_order")]
    operations = [
        migrations.AddField("device", "lost_at", models.DateTimeField(null=True)),
        migrations.AddField("device", "comment", models.TextField(blank=True, db_default="", default="")),
        migrations.AddField(
            "device", "comment_folded", epmm.folding.FoldedField(blank=True, db_default="", default="", editable=False)
        ),
    ]
