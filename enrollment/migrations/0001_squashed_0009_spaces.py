"""The tables in one go, for an empty database; see epmm."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import epmm.fields
from epmm import migrating


class Migration(migrations.Migration):
    initial = True
    replaces = [
        ("enrollment", "0001_initial"),
        ("enrollment", "0002_attempt_filters"),
        ("enrollment", "0003_invitations"),
        ("enrollment", "0004_oauth"),
        ("enrollment", "0005_enrollment_rules"),
        ("enrollment", "0006_named_terms"),
        ("enrollment", "0007_attempt_owner"),
        ("enrollment", "0008_terms_of_devices"),
        ("enrollment", "0009_spaces"),
    ]
    dependencies = [
        ("devices", "0001_squashed_0038_indexes_of_searches"),
        ("epmm", "0001_squashed_0011_spaces"),
        ("users", "0001_squashed_0027_spaces"),
    ]
    operations = [
        migrating.CreateModels([
            migrations.CreateModel(
                name='Attempt',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('reference', models.CharField(max_length=32, unique=True)),
                    ('opened_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                    ('closed_at', models.DateTimeField(null=True)),
                    ('state', models.CharField(choices=[('open', 'In progress'), ('waiting', 'Waiting for Apple sign-in'), ('active', 'Enrolled'), ('failed', 'Failed'), ('abandoned', 'Not finished')], default='open', max_length=12)),
                    ('address', models.GenericIPAddressField(null=True)),
                    ('network', models.CharField(blank=True, max_length=64)),
                    ('identifier', models.CharField(blank=True, db_index=True, max_length=320)),
                    ('domain', models.CharField(blank=True, max_length=253)),
                    ('model_family', models.CharField(blank=True, max_length=16)),
                    ('product', models.CharField(blank=True, max_length=64)),
                    ('os_version', models.CharField(blank=True, max_length=32)),
                    ('kind', models.CharField(blank=True, choices=[('adde', 'Adde'), ('aaue', 'Aaue')], max_length=8)),
                    ('last_code', models.CharField(blank=True, db_index=True, max_length=8)),
                    ('enrollment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='attempts', to='devices.enrollment')),
                    ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='attempts', to=settings.AUTH_USER_MODEL)),
                    ('owner', models.CharField(blank=True, db_default='', default='', max_length=8)),
                    ('space_id', models.IntegerField(db_default=1, default=1)),
                ],
                options={
                    'indexes': [models.Index(condition=models.Q(('user', None)), fields=['network', 'opened_at'], name='attempt_anonymous'), models.Index(fields=['domain', 'opened_at', 'id'], name='attempt_domain'), models.Index(fields=['state', 'opened_at', 'id'], name='attempt_state'), models.Index(fields=['model_family', 'opened_at', 'id'], name='attempt_model')],
                },
            ),
            migrations.CreateModel(
                name='AccessToken',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('sha256', models.BinaryField(max_length=32, unique=True)),
                    ('kind', models.CharField(choices=[('adde', 'Adde'), ('aaue', 'Aaue')], max_length=8)),
                    ('reference', models.CharField(blank=True, max_length=32)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('expires_at', models.DateTimeField()),
                    ('revoked_at', models.DateTimeField(null=True)),
                    ('device', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='access_tokens', to='devices.device')),
                    ('enrollment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='access_tokens', to='devices.enrollment')),
                    ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='access_tokens', to=settings.AUTH_USER_MODEL)),
                    ('attempt', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='access_tokens', to='enrollment.attempt')),
                    ('lapses_at', models.DateTimeField(null=True)),
                ],
            ),
            migrations.CreateModel(
                name='AttemptStep',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('step', models.CharField(max_length=32)),
                    ('result', models.CharField(choices=[('ok', 'OK'), ('noted', 'Noted'), ('refused', 'Refused')], max_length=8)),
                    ('code', models.CharField(blank=True, max_length=8)),
                    ('details', models.JSONField(default=dict)),
                    ('attempt', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='steps', to='enrollment.attempt')),
                ],
                options={
                    'ordering': ['pk'],
                },
            ),
            migrations.CreateModel(
                name='Authority',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('purpose', models.CharField(choices=[('device_ca', 'Device Ca'), ('scep_ra', 'Scep Ra'), ('profile_signer', 'Profile Signer')], max_length=16)),
                    ('certificate', models.BinaryField()),
                    ('private_key', epmm.fields.EncryptedField()),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('is_current', models.BooleanField(default=True)),
                ],
                options={
                    'verbose_name_plural': 'authorities',
                    'constraints': [models.UniqueConstraint(condition=models.Q(('is_current', True)), fields=('purpose',), name='authority_current_once')],
                },
            ),
            migrations.CreateModel(
                name='PolicyText',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('kind', models.CharField(choices=[('privacy', 'Privacy'), ('terms', 'Terms')], max_length=8)),
                    ('version', models.PositiveIntegerField()),
                    ('language', models.CharField(max_length=35)),
                    ('text', models.TextField()),
                    ('text_sha256', models.CharField(max_length=64)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('kind', 'language', 'text_sha256'), name='policy_text_once'), models.UniqueConstraint(fields=('kind', 'language', 'version'), name='policy_version_once')],
                },
            ),
            migrations.CreateModel(
                name='Acceptance',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('accepted_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('address', models.GenericIPAddressField(null=True)),
                    ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='acceptances', to=settings.AUTH_USER_MODEL)),
                    ('attempt', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='acceptances', to='enrollment.attempt')),
                    ('policy', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='acceptances', to='enrollment.policytext')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('user', 'policy', 'attempt'), name='acceptance_once')],
                },
            ),
            migrations.CreateModel(
                name='ScepChallenge',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('reference', models.CharField(max_length=32, unique=True)),
                    ('secret', epmm.fields.EncryptedField()),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('expires_at', models.DateTimeField()),
                    ('used_at', models.DateTimeField(null=True)),
                    ('transaction_id', models.CharField(blank=True, max_length=255)),
                    ('public_key_sha256', models.BinaryField(max_length=32, null=True)),
                    ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scep_challenges', to='devices.enrollment')),
                    ('identity', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, to='devices.identity')),
                ],
            ),
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
                    ('space_id', models.IntegerField(db_default=1, default=1)),
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
                    ('name', models.CharField(blank=True, db_default='', default='', max_length=100)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('kind', 'name', 'language', 'country', 'type'), name='named_text_once')],
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
            migrations.CreateModel(
                name='TokenFamily',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('revoked_at', models.DateTimeField(null=True)),
                    ('token', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='family', to='enrollment.accesstoken')),
                ],
                options={
                    'verbose_name_plural': 'token families',
                },
            ),
            migrations.CreateModel(
                name='RefreshToken',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('sha256', models.BinaryField(max_length=32, unique=True)),
                    ('expires_at', models.DateTimeField()),
                    ('used_at', models.DateTimeField(null=True)),
                    ('family', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='refresh_tokens', to='enrollment.tokenfamily')),
                ],
            ),
            migrations.CreateModel(
                name='AuthorizationCode',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('sha256', models.BinaryField(max_length=32, unique=True)),
                    ('kind', models.CharField(choices=[('adde', 'Adde'), ('aaue', 'Aaue')], max_length=8)),
                    ('reference', models.CharField(blank=True, max_length=32)),
                    ('code_challenge', models.CharField(blank=True, max_length=128)),
                    ('expires_at', models.DateTimeField()),
                    ('used_at', models.DateTimeField(null=True)),
                    ('attempt', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='enrollment.attempt')),
                    ('device', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='devices.device')),
                    ('enrollment', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='devices.enrollment')),
                    ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ('family', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='enrollment.tokenfamily')),
                ],
            ),
            migrations.CreateModel(
                name='Rule',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('audience', models.CharField(choices=[('group', 'A group'), ('local', 'Local people')], default='group', max_length=5)),
                    ('position', models.PositiveIntegerField()),
                    ('kinds', models.CharField(blank=True, max_length=100)),
                    ('device_limit', models.PositiveSmallIntegerField(null=True)),
                    ('families', models.CharField(blank=True, max_length=100)),
                    ('minimum_os', models.CharField(blank=True, max_length=100)),
                    ('owner', models.CharField(blank=True, choices=[('COMPANY', 'Company'), ('EMPLOYEE', 'Employee')], max_length=8)),
                    ('terms', models.TextField(blank=True)),
                    ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('changed_by', models.CharField(max_length=255)),
                    ('group', models.OneToOneField(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='enrollment_rule', to='users.group')),
                    ('terms_name', models.CharField(blank=True, db_default='', default='', max_length=100)),
                    ('space_id', models.IntegerField(db_default=1, default=1)),
                ],
                options={
                    'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('audience', 'group'), ('group__isnull', False)), models.Q(('audience', 'local'), ('group', None)), _connector='OR'), name='rule_has_one_audience'), models.UniqueConstraint(condition=models.Q(('audience', 'local')), fields=('audience',), name='rule_of_local_once')],
                },
            ),
        ]),
    ]
