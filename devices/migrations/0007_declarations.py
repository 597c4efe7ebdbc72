import django.db.models.deletion
import django.utils.timezone
import epmm.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('devices', '0006_answers'),
    ]

    operations = [
        migrations.CreateModel(
            name='ChannelStatus',
            fields=[
                ('channel', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='status', serialize=False, to='devices.channel')),
                ('items', models.JSONField(default=dict)),
                ('errors', models.JSONField(default=dict)),
                ('reported_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('full_at', models.DateTimeField(null=True)),
            ],
            options={
                'verbose_name_plural': 'channel statuses',
            },
        ),
        migrations.CreateModel(
            name='Declaration',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('identifier', models.CharField(max_length=64, unique=True)),
                ('kind', models.CharField(choices=[('activation', 'Activation'), ('asset', 'Asset'), ('configuration', 'Configuration'), ('management', 'Management')], max_length=16)),
                ('type', models.CharField(max_length=128)),
                ('payload', models.JSONField(default=dict)),
                ('predicate', models.TextField(blank=True)),
                ('version', models.CharField(max_length=64)),
                ('profile', epmm.fields.EncryptedField(null=True)),
                ('profile_sha256', models.CharField(blank=True, max_length=64)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('removed_at', models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name='DeclarationContent',
            fields=[
                ('server_token', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('body', models.BinaryField()),
                ('used_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name='Manifest',
            fields=[
                ('token', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('items', models.JSONField(default=list)),
                ('used_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name='DeclarationSet',
            fields=[
                ('channel', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='declaration_set', serialize=False, to='devices.channel')),
                ('token', models.CharField(blank=True, max_length=64)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('offered_token', models.CharField(blank=True, max_length=64)),
                ('offered_at', models.DateTimeField(null=True)),
                ('served_token', models.CharField(blank=True, max_length=64)),
                ('asked_at', models.DateTimeField(null=True)),
                ('heard_at', models.DateTimeField(null=True)),
                ('capabilities', models.JSONField(default=dict)),
                ('unsupported', models.JSONField(default=dict)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('token', models.F('served_token')), _negated=True), fields=['asked_at'], name='declaration_set_behind')],
            },
        ),
        migrations.CreateModel(
            name='DeclarationAssignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('for_users', models.BooleanField(default=False)),
                ('assigned_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('declaration', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='devices.declaration')),
                ('device', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='declaration_assignments', to='devices.device')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('declaration', 'device', 'for_users'), name='declaration_assigned_once')],
            },
        ),
        migrations.CreateModel(
            name='DeclarationState',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('activation', 'Activation'), ('asset', 'Asset'), ('configuration', 'Configuration'), ('management', 'Management')], max_length=16)),
                ('identifier', models.CharField(max_length=64)),
                ('server_token', models.CharField(blank=True, max_length=64)),
                ('active', models.BooleanField(default=False)),
                ('valid', models.CharField(choices=[('valid', 'Valid'), ('invalid', 'Invalid'), ('unknown', 'Unknown')], max_length=8)),
                ('reasons', models.JSONField(default=list)),
                ('reported_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('channel', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='declaration_states', to='devices.channel')),
            ],
            options={
                'indexes': [models.Index(fields=['identifier', 'valid'], name='declaration_state_of')],
                'constraints': [models.UniqueConstraint(fields=('channel', 'kind', 'identifier', 'server_token'), name='declaration_state_once')],
            },
        ),
    ]
