from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("enrollment", "0001_initial")]
    operations = [
        migrations.AddIndex(
            model_name="attempt", index=models.Index(fields=[column, "opened_at", "id"], name=f"attempt_{name}")
        )
        for column, name in (("domain", "domain"), ("state", "state"), ("model_family", "model"))
    ]
