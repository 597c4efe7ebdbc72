"""Texts by language and country; invitations and their templates."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('devices', '0019_portal_lists'),
        ('enrollment', '0002_attempt_filters'),
        ('epmm', '0009_mail'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='InvitationRound',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('language', models.CharField(max_length=3)),
                ('subject', models.CharField(max_length=200)),
                ('text', models.TextField()),
                ('has_pin', models.BooleanField(default=False)),
                ('remind_after_days', models.PositiveSmallIntegerField(null=True)),
                ('reminders', models.PositiveSmallIntegerField(default=0)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('created_by', models.CharField(max_length=255)),
            ],
        ),
        migrations.CreateModel(
            name='InvitationTemplate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('invitation', 'Invitation'), ('reminder', 'Reminder')], max_length=12)),
                ('language', models.CharField(max_length=3)),
                ('subject', models.CharField(max_length=200)),
                ('text', models.TextField()),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('changed_by', models.CharField(max_length=255)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('kind', 'language'), name='invitation_template_once')],
            },
        ),
        migrations.CreateModel(
            name='LocalText',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('privacy', 'Privacy'), ('terms', 'Terms')], max_length=8)),
                ('language', models.CharField(max_length=3)),
                ('country', models.CharField(blank=True, max_length=3)),
                ('type', models.CharField(choices=[('System', 'System')], default='System', max_length=8)),
                ('content', models.TextField()),
                ('notice_email', models.CharField(blank=True, max_length=320)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('changed_by', models.CharField(max_length=255)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('kind', 'language', 'country', 'type'), name='local_text_once')],
            },
        ),
        migrations.CreateModel(
            name='Invitation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('owner', models.CharField(blank=True, choices=[('COMPANY', 'Company'), ('EMPLOYEE', 'Employee')], max_length=8)),
                ('token', models.CharField(max_length=32, unique=True)),
                ('problem', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('opened_at', models.DateTimeField(null=True)),
                ('reminded', models.PositiveSmallIntegerField(default=0)),
                ('remind_at', models.DateTimeField(null=True)),
                ('end', models.CharField(blank=True, choices=[('enrolled', 'Enrolled'), ('expired', 'Expired'), ('stopped', 'Stopped'), ('replaced', 'Invited again')], max_length=8)),
                ('ended_at', models.DateTimeField(null=True)),
                ('device', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='invitations', to='devices.device')),
                ('mail', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='epmm.mail')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to=settings.AUTH_USER_MODEL)),
                ('round', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='invitations', to='enrollment.invitationround')),
            ],
            options={
                'indexes': [models.Index(fields=['created_at', 'id'], name='invitation_order'), models.Index(condition=models.Q(('end', ''), ('remind_at__isnull', False)), fields=['remind_at'], name='invitation_remind'), models.Index(condition=models.Q(('end', '')), fields=['expires_at'], name='invitation_expires'), models.Index(fields=['end', 'created_at', 'id'], name='invitation_end')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('end', '')), fields=('user',), name='invited_once')],
            },
        ),
    ]
