from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("enrollment", "0001_initial")]
    operations = [
        migrating.AddIndex(
            model_name="attempt", index=models.Index(fields=[column, "opened_at", "id"], name=f"attempt_{name}")
        )
        for column, name in (("domain", "domain"), ("state", "state"), ("model_family", "model"))
    ]
