"""When the bearer of an enrollment is to be renewed."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("devices", "0023_fold_label_names"),
    ]

    operations = [
        migrations.AddField(
            model_name='enrollment',
            name='bearer_lapses_at',
            field=models.DateTimeField(null=True),
        ),
    ]
