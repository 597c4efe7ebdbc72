"""How accounts are mapped from a directory or a provider, and how each person's goes with it."""


from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('users', '0016_person_session'),
    ]

    operations = [
        migrations.AddField(
            model_name='directory',
            name='account_pattern',
            field=models.CharField(blank=True, db_default='', default='', max_length=320),
        ),
        migrations.AddField(
            model_name='directory',
            name='account_source',
            field=models.CharField(choices=[('typed', 'Typed by administrators'), ('said', 'What the directory or the identity provider says'), ('pattern', 'From a pattern')], db_default='said', default='said', max_length=8),
        ),
        migrations.AddField(
            model_name='directoryentry',
            name='account',
            field=models.CharField(blank=True, db_default='', default='', max_length=320),
        ),
        migrations.AddField(
            model_name='directoryentry',
            name='account_state',
            field=models.PositiveSmallIntegerField(choices=[(0, 'In step'), (1, 'Another person has it'), (2, 'No possible account'), (3, 'Outside the enrollment domains'), (4, 'Devices are enrolled with another'), (5, 'An administrator entered another'), (6, 'Nothing to map from'), (7, "Differs from the directory's name")], db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='account_pattern',
            field=models.CharField(blank=True, db_default='', default='', max_length=320),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='account_source',
            field=models.CharField(choices=[('typed', 'Typed by administrators'), ('said', 'What the directory or the identity provider says'), ('pattern', 'From a pattern')], db_default='said', default='said', max_length=8),
        ),
    ]
