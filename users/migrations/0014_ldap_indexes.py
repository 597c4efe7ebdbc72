"""People of a directory by their distinguished name, and those who are gone from it."""

from django.db import migrations, models

from epmm import migrating


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('users', '0013_ldap'),
    ]

    operations = [
        migrating.AddIndex(
            model_name='directoryentry',
            index=models.Index(fields=['dn_key'], name='entry_dn_key'),
        ),
        migrating.AddIndex(
            model_name='directoryentry',
            index=models.Index(condition=models.Q(('gone_at__isnull', False)), fields=['gone_at'], name='entry_gone'),
        ),
    ]
