"""Webhooks, what has happened, what came of telling them, and which ends of certificates were spoken of."""

import django.db.models.deletion
import django.utils.timezone
import epmm.fields
import uuid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('epmm', '0009_mail'),
    ]

    operations = [
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
    ]
