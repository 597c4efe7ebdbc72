"""Terms that rules name, in each language."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('enrollment', '0005_enrollment_rules'),
    ]

    operations = [
        migrations.AddField('localtext', 'name', models.CharField(blank=True, db_default='', default='', max_length=100)),
        migrations.AddField('rule', 'terms_name', models.CharField(blank=True, db_default='', default='', max_length=100)),
        migrations.RemoveConstraint('localtext', 'local_text_once'),
        migrations.AddConstraint(
            'localtext',
            models.UniqueConstraint(fields=['kind', 'name', 'language', 'country', 'type'], name='named_text_once'),
        ),
    ]
