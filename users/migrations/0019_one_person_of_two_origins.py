"""A provider may be for the user portal, and speak for a directory: its people are the same."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('users', '0018_account_states'),
    ]

    operations = [
        migrations.AddField(
            model_name='identityprovider',
            name='directory',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='providers', to='users.directory'),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='for_self',
            field=models.BooleanField(db_default=False, default=True),
        ),
        migrations.AddField(
            model_name='identityprovider',
            name='matches_by',
            field=models.CharField(choices=[('user_id', 'User ID, or user principal name'), ('email', 'Email address that the provider has verified')], db_default='user_id', default='user_id', max_length=8),
        ),
        migrations.CreateModel(
            name='ProviderLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject', models.CharField(max_length=255)),
                ('linked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('provider', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='links', to='users.identityprovider')),
                ('user', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='provider_links', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('provider', 'subject'), name='link_once_at_provider'), models.UniqueConstraint(fields=('user', 'provider'), name='link_once_of_person')],
            },
        ),
    ]
