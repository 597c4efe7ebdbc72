"""The tables in one go, for an empty database; whoever came by the migrations before it goes on from there."""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import epmm.fields
from epmm import migrating


class Migration(migrations.Migration):
    initial = True
    replaces = [
        ("epmm", "0001_initial"),
        ("epmm", "0002_job_request_id"),
        ("epmm", "0003_audit_filters"),
        ("epmm", "0004_audit_seal"),
        ("epmm", "0005_audit_exports"),
        ("epmm", "0006_scheduled_runs"),
        ("epmm", "0007_audit_status"),
        ("epmm", "0008_audit_checkpoint"),
        ("epmm", "0009_mail"),
        ("epmm", "0010_webhooks"),
        ("epmm", "0011_spaces"),
    ]
    operations = [
        migrating.CreateModels([
            migrations.CreateModel(
                name='AuditEntry',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                    ('actor', models.CharField(max_length=255)),
                    ('address', models.GenericIPAddressField(null=True)),
                    ('action', models.CharField(max_length=64)),
                    ('subject_type', models.CharField(max_length=32)),
                    ('subject', models.CharField(max_length=255)),
                    ('status', models.CharField(choices=[('Success', 'Success'), ('Failed', 'Failed'), ('Initiated', 'Initiated')], max_length=16)),
                    ('details', models.JSONField(default=dict)),
                    ('space_id', models.IntegerField(db_default=1, default=1)),
                ],
                options={
                    'indexes': [models.Index(fields=['action', 'at', 'id'], name='audit_action'), models.Index(fields=['actor', 'at', 'id'], name='audit_actor'), models.Index(fields=['subject', 'at', 'id'], name='audit_subject'), models.Index(fields=['status', 'at', 'id'], name='audit_status')],
                },
            ),
            migrations.CreateModel(
                name='Heartbeat',
                fields=[
                    ('name', models.CharField(max_length=32, primary_key=True, serialize=False)),
                    ('at', models.DateTimeField()),
                ],
            ),
            migrations.CreateModel(
                name='SettingRow',
                fields=[
                    ('name', models.CharField(max_length=100, primary_key=True, serialize=False)),
                    ('value', models.TextField()),
                    ('changed_at', models.DateTimeField(auto_now=True)),
                    ('changed_by', models.CharField(max_length=255)),
                    ('sealed', epmm.fields.EncryptedField(null=True)),
                ],
            ),
            migrations.CreateModel(
                name='Job',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('kind', models.CharField(max_length=64)),
                    ('arguments', models.JSONField(default=dict)),
                    ('run_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('rung_until', models.DateTimeField(null=True)),
                    ('lease_until', models.DateTimeField(null=True)),
                    ('attempts', models.PositiveIntegerField(default=0)),
                    ('done_at', models.DateTimeField(null=True)),
                    ('last_error', models.CharField(blank=True, max_length=500)),
                    ('dedupe_key', models.CharField(max_length=200, null=True)),
                    ('request_id', models.CharField(max_length=64, null=True)),
                ],
                options={
                    'indexes': [models.Index(condition=models.Q(('done_at', None)), fields=['run_at'], name='job_open')],
                    'constraints': [models.UniqueConstraint(condition=models.Q(('done_at', None)), fields=('dedupe_key',), name='job_open_once')],
                },
            ),
            migrations.CreateModel(
                name='AuditSeal',
                fields=[
                    ('position', models.PositiveBigIntegerField(primary_key=True, serialize=False)),
                    ('entry_id', models.BigIntegerField(unique=True)),
                    ('action', models.CharField(max_length=64)),
                    ('at', models.DateTimeField()),
                    ('entry_sha256', models.BinaryField(max_length=32)),
                    ('digest', models.BinaryField(max_length=32)),
                ],
            ),
            migrations.CreateModel(
                name='AuditCheck',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('actor', models.CharField(max_length=255)),
                    ('sealed', models.PositiveBigIntegerField()),
                    ('waiting', models.PositiveBigIntegerField()),
                    ('problems', models.JSONField(default=list)),
                    ('problem_count', models.PositiveIntegerField()),
                ],
            ),
            migrations.CreateModel(
                name='AuditExport',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                    ('owner', models.CharField(max_length=255)),
                    ('asked', models.JSONField(default=dict)),
                    ('state', models.CharField(choices=[('waiting', 'Waiting'), ('running', 'Being made'), ('done', 'Ready')], default='waiting', max_length=8)),
                    ('rows', models.PositiveIntegerField(default=0)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('done_at', models.DateTimeField(null=True)),
                ],
                options={
                    'indexes': [models.Index(fields=['owner', '-created_at'], name='audit_export_owner')],
                },
            ),
            migrations.CreateModel(
                name='AuditExportPart',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('number', models.PositiveIntegerField()),
                    ('content', epmm.fields.EncryptedField()),
                    ('export', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='parts', to='epmm.auditexport')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('export', 'number'), name='audit_export_part_once')],
                },
            ),
            migrations.CreateModel(
                name='ScheduledRun',
                fields=[
                    ('name', models.CharField(max_length=64, primary_key=True, serialize=False)),
                    ('at', models.DateTimeField()),
                    ('actor', models.CharField(blank=True, max_length=255)),
                    ('result', models.JSONField(default=dict)),
                ],
            ),
            migrations.CreateModel(
                name='AuditCheckpoint',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('told', epmm.fields.EncryptedField()),
                ],
            ),
            migrations.CreateModel(
                name='Mail',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('message_id', models.CharField(max_length=255, unique=True)),
                    ('kind', models.CharField(max_length=32)),
                    ('recipient', models.CharField(max_length=320)),
                    ('content', epmm.fields.EncryptedField(null=True)),
                    ('state', models.CharField(choices=[('queued', 'Queued'), ('sent', 'Sent'), ('failed', 'Failed'), ('stopped', 'Stopped')], default='queued', max_length=8)),
                    ('attempts', models.PositiveIntegerField(default=0)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('next_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('done_at', models.DateTimeField(null=True)),
                    ('answer', models.CharField(blank=True, max_length=500)),
                ],
                options={
                    'verbose_name_plural': 'mail',
                    'indexes': [models.Index(condition=models.Q(('state', 'queued')), fields=['next_at'], name='mail_queued'), models.Index(fields=['done_at'], name='mail_done')],
                },
            ),
            migrations.CreateModel(
                name='ExpiryNotice',
                fields=[
                    ('name', models.CharField(max_length=64, primary_key=True, serialize=False)),
                    ('not_after', models.DateTimeField()),
                    ('days', models.SmallIntegerField()),
                ],
            ),
            migrations.CreateModel(
                name='Webhook',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                    ('name', models.CharField(max_length=100, unique=True)),
                    ('url', models.CharField(max_length=500)),
                    ('is_enabled', models.BooleanField(default=True)),
                    ('kinds', models.JSONField(default=list)),
                    ('hidden_fields', models.JSONField(default=list)),
                    ('secret', epmm.fields.EncryptedField()),
                    ('former_secret', epmm.fields.EncryptedField(null=True)),
                    ('former_until', models.DateTimeField(null=True)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('failures', models.PositiveIntegerField(default=0)),
                    ('failing_since', models.DateTimeField(null=True)),
                    ('rests_until', models.DateTimeField(null=True)),
                    ('given_up_at', models.DateTimeField(null=True)),
                ],
            ),
            migrations.CreateModel(
                name='Event',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                    ('kind', models.CharField(max_length=64)),
                    ('at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('subject', models.CharField(max_length=96)),
                    ('space_id', models.PositiveIntegerField(default=1)),
                    ('data', models.JSONField(default=dict)),
                    ('is_spread', models.BooleanField(default=False)),
                ],
                options={
                    'indexes': [models.Index(condition=models.Q(('is_spread', False)), fields=['id'], name='event_new'), models.Index(fields=['at'], name='event_at')],
                },
            ),
            migrations.CreateModel(
                name='WebhookDelivery',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('subject', models.CharField(max_length=96)),
                    ('state', models.CharField(choices=[('queued', 'Waiting'), ('delivered', 'Delivered'), ('dead', 'Given up')], default='queued', max_length=9)),
                    ('attempts', models.PositiveIntegerField(default=0)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('next_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('taken_until', models.DateTimeField(null=True)),
                    ('tried_at', models.DateTimeField(null=True)),
                    ('done_at', models.DateTimeField(null=True)),
                    ('status', models.PositiveSmallIntegerField(null=True)),
                    ('milliseconds', models.PositiveIntegerField(null=True)),
                    ('excerpt', models.CharField(blank=True, max_length=500)),
                    ('event', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='epmm.event')),
                    ('webhook', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='epmm.webhook')),
                ],
                options={
                    'verbose_name_plural': 'webhook deliveries',
                    'indexes': [models.Index(condition=models.Q(('state', 'queued')), fields=['webhook', 'next_at', 'id'], name='webhook_due'), models.Index(condition=models.Q(('state', 'queued')), fields=['webhook', 'subject', 'event'], name='webhook_turn'), models.Index(condition=models.Q(('taken_until__isnull', False)), fields=['webhook'], name='webhook_taken'), models.Index(fields=['webhook', 'state', '-id'], name='webhook_state'), models.Index(fields=['webhook', '-id'], name='webhook_newest'), models.Index(fields=['state', '-id'], name='webhook_any_state'), models.Index(condition=models.Q(('done_at__isnull', False)), fields=['done_at'], name='webhook_done')],
                    'constraints': [models.UniqueConstraint(fields=('event', 'webhook'), name='webhook_once')],
                },
            ),
        ]),
    ]
