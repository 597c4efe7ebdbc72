"""People whose account is not in step with what is mapped for them."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('users', '0017_account_mapping'),
    ]

    operations = [
        migrating.AddIndex(
            model_name='directoryentry',
            index=models.Index(fields=['account_state', 'id'], name='entry_account_state'),
        ),
    ]
