"""LDAP: how a directory is asked, what it knows of people, how far their copy has come."""

import django.db.models.deletion
import epmm.fields
import epmm.folding
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('users', '0012_pin_files'),
    ]

    operations = [
        migrations.CreateModel(
            name='DirectorySync',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('phase', models.CharField(choices=[('people', 'Reading people'), ('gone', 'Looking for people who are gone'), ('groups', 'Reading groups'), ('done', 'Done')], default='done', max_length=8)),
                ('began_at', models.DateTimeField(null=True)),
                ('ended_at', models.DateTimeField(null=True)),
                ('is_full', models.BooleanField(default=True)),
                ('full_at', models.DateTimeField(null=True)),
                ('mark', models.JSONField(default=dict)),
                ('next_mark', models.JSONField(default=dict)),
                ('fingerprint', models.CharField(blank=True, max_length=32)),
                ('accepts_losses', models.BooleanField(default=False)),
                ('counts', models.JSONField(default=dict)),
                ('problems', models.JSONField(default=list)),
                ('problem_count', models.PositiveIntegerField(default=0)),
                ('error', models.CharField(blank=True, max_length=500)),
            ],
        ),
        migrations.CreateModel(
            name='DirectoryValue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64)),
                ('text', models.CharField(max_length=512)),
                ('folded', epmm.folding.FoldedField(blank=True, db_default='', default='', editable=False)),
            ],
        ),
        migrations.AddField(
            model_name='directory',
            name='account_attribute',
            field=models.CharField(db_default='userPrincipalName', default='userPrincipalName', max_length=64),
        ),
        migrations.AddField(
            model_name='directory',
            name='allows_plain',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='directory',
            name='bind_name',
            field=models.CharField(blank=True, db_default='', default='', max_length=512),
        ),
        migrations.AddField(
            model_name='directory',
            name='bind_password',
            field=epmm.fields.EncryptedField(null=True),
        ),
        migrations.AddField(
            model_name='directory',
            name='certificates',
            field=models.TextField(blank=True, db_default='', default=''),
        ),
        migrations.AddField(
            model_name='directory',
            name='chases_referrals',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='directory',
            name='connect_seconds',
            field=models.PositiveSmallIntegerField(db_default=30, default=30),
        ),
        migrations.AddField(
            model_name='directory',
            name='domain',
            field=models.CharField(blank=True, db_default='', default='', max_length=253),
        ),
        migrations.AddField(
            model_name='directory',
            name='failover_url',
            field=models.CharField(blank=True, db_default='', default='', max_length=255),
        ),
        migrations.AddField(
            model_name='directory',
            name='group_base',
            field=models.CharField(blank=True, db_default='', default='', max_length=512),
        ),
        migrations.AddField(
            model_name='directory',
            name='group_scope',
            field=models.CharField(choices=[('sub', 'All levels'), ('one', 'One level')], db_default='sub', default='sub', max_length=4),
        ),
        migrations.AddField(
            model_name='directory',
            name='kind',
            field=models.CharField(choices=[('ad', 'Active Directory'), ('domino', 'Domino'), ('other', 'Other')], db_default='other', default='other', max_length=8),
        ),
        migrations.AddField(
            model_name='directory',
            name='schema',
            field=models.JSONField(db_default=models.Value({}, models.JSONField()), default=dict),
        ),
        migrations.AddField(
            model_name='directory',
            name='search_seconds',
            field=models.PositiveSmallIntegerField(db_default=30, default=30),
        ),
        migrations.AddField(
            model_name='directory',
            name='searched_attributes',
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.AddField(
            model_name='directory',
            name='starts_tls',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='directory',
            name='sync_minutes',
            field=models.PositiveIntegerField(db_default=60, default=60),
        ),
        migrations.AddField(
            model_name='directory',
            name='unit_base',
            field=models.CharField(blank=True, db_default='', default='', max_length=512),
        ),
        migrations.AddField(
            model_name='directory',
            name='unit_scope',
            field=models.CharField(choices=[('sub', 'All levels'), ('one', 'One level')], db_default='sub', default='sub', max_length=4),
        ),
        migrations.AddField(
            model_name='directory',
            name='url',
            field=models.CharField(blank=True, db_default='', default='', max_length=255),
        ),
        migrations.AddField(
            model_name='directory',
            name='user_base',
            field=models.CharField(blank=True, db_default='', default='', max_length=512),
        ),
        migrations.AddField(
            model_name='directory',
            name='user_scope',
            field=models.CharField(choices=[('sub', 'All levels'), ('one', 'One level')], db_default='sub', default='sub', max_length=4),
        ),
        migrations.AddField(
            model_name='directoryentry',
            name='digest',
            field=models.CharField(blank=True, db_default='', default='', max_length=32),
        ),
        migrations.AddField(
            model_name='directoryentry',
            name='disabled_by_sync',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='directoryentry',
            name='dn_key',
            field=models.CharField(blank=True, db_default='', default='', max_length=32),
        ),
        migrations.AddField(
            model_name='group',
            name='name_folded',
            field=epmm.folding.FoldedField(blank=True, db_default='', default='', editable=False),
        ),
        migrations.AddField(
            model_name='directorysync',
            name='directory',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='sync', to='users.directory'),
        ),
        migrations.AddField(
            model_name='directoryvalue',
            name='user',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='directory_values', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddIndex(
            model_name='directoryvalue',
            index=models.Index(fields=['user', 'name'], name='directory_value_user'),
        ),
        migrations.AddIndex(
            model_name='directoryvalue',
            index=models.Index(fields=['name', 'folded'], name='directory_value_text'),
        ),
    ]
