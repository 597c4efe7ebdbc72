"""The tables in one go, for an empty database, and what the migrations before it gave reasons for:

the archive by months (0003), the trigram index (0011), labels that every installation has (0012).
"""

import uuid

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import devices.search.sql
import epmm.fields
import epmm.folding
from epmm import migrating

STORAGE = (
    "ALTER TABLE devices_channel SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05)",
    "ALTER TABLE devices_command SET (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05)",
    "ALTER TABLE devices_result SET (autovacuum_vacuum_scale_factor = 0.05)",
    "ALTER TABLE devices_finishedcommand RENAME TO devices_finishedcommand_before",
    """
    CREATE TABLE devices_finishedcommand (LIKE devices_finishedcommand_before INCLUDING DEFAULTS, PRIMARY KEY (id, done_at))
    PARTITION BY RANGE (done_at)
    """,
    "CREATE TABLE devices_finishedcommand_default PARTITION OF devices_finishedcommand DEFAULT",
    "DROP TABLE devices_finishedcommand_before",
)
LZ4 = "SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)"
COMPRESSED = "ALTER TABLE devices_result ALTER COLUMN body SET COMPRESSION lz4"
TRIGRAMS_THERE = "SELECT FROM pg_extension WHERE extname = 'pg_trgm'"
TRIGRAMS_MAY_COME = """
    SELECT FROM pg_available_extensions
    WHERE name = 'pg_trgm' AND has_database_privilege(current_database(), 'CREATE')
"""
TRIGRAM_INDEX = "CREATE INDEX device_search_text ON devices_device USING gin (search_text gin_trgm_ops)"
STANDING = ' AND "common.retired" = "false"'
LABELS = {
    "All-Smartphones": ("All devices", '"common.retired" = "false"'),
    "iOS": ("iPhone and iPad", '"common.platform" = "iOS"' + STANDING),
    "macOS": ("Mac", '"common.platform" = "macOS"' + STANDING),
    "Company-Owned": ("Devices of the company", '"common.owner" = "COMPANY"' + STANDING),
    "Employee-Owned": ("Devices of their users", '"common.owner" = "EMPLOYEE"' + STANDING),
    "Signed-Out": (
        "Their users signed out or removed management",
        '"common.retired_reason" = "user removed management"',
    ),
    "Account Driven Device Enrolled": (
        "Enrolled with a work account: device enrollment",
        '"ios.account_driven_device_enrolled" = "true"' + STANDING,
    ),
    "Account Driven User Enrolled": (
        "Enrolled with a work account: user enrollment",
        '"ios.account_driven_user_enrolled" = "true"' + STANDING,
    ),
    "Enrollment failed today": ("Their last attempt was refused today", '"ios.enrollment_failed_at" = "today"'),
}


def store(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    for statement in STORAGE:
        schema_editor.execute(statement)
    if found(schema_editor, LZ4):
        schema_editor.execute(COMPRESSED)


def create_trigram_index(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        return
    if not found(schema_editor, TRIGRAMS_THERE):
        if not found(schema_editor, TRIGRAMS_MAY_COME):
            return
        schema_editor.execute("CREATE EXTENSION pg_trgm")
    schema_editor.execute(TRIGRAM_INDEX)


def found(schema_editor, question):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone() is not None


def add_labels(apps, schema_editor):
    label = apps.get_model("devices", "Label")
    label.objects.bulk_create(
        label(name=name, name_folded=name.casefold(), description=description, criteria=criteria, kind="filter", is_built_in=True)
        for name, (description, criteria) in LABELS.items()
    )


class Migration(migrations.Migration):
    initial = True
    replaces = [
        ("devices", "0001_initial"),
        ("devices", "0002_commands"),
        ("devices", "0003_storage"),
        ("devices", "0004_push_certificate"),
        ("devices", "0005_push"),
        ("devices", "0006_answers"),
        ("devices", "0007_declarations"),
        ("devices", "0008_configurations"),
        ("devices", "0009_search"),
        ("devices", "0010_search_text"),
        ("devices", "0011_search_indexes"),
        ("devices", "0012_built_in_labels"),
        ("devices", "0013_called_back"),
        ("devices", "0014_serial_order"),
        ("devices", "0015_portal"),
        ("devices", "0016_enrollment_id"),
        ("devices", "0017_identity_expiry"),
        ("devices", "0018_custom_attributes"),
        ("devices", "0019_portal_lists"),
        ("devices", "0020_rare_values"),
        ("devices", "0021_action_runs"),
        ("devices", "0022_label_names_folded"),
        ("devices", "0023_fold_label_names"),
        ("devices", "0024_reauthentication"),
        ("devices", "0025_duplicates"),
        ("devices", "0026_portal_pages"),
        ("devices", "0027_long_expressions"),
        ("devices", "0028_identity_warned"),
        ("devices", "0029_declaration_runs"),
        ("devices", "0030_no_quarantine_revoked"),
        ("devices", "0031_low_batteries"),
        ("devices", "0032_search_fields"),
        ("devices", "0033_announced_countries"),
        ("devices", "0034_indexes_of_places"),
        ("devices", "0035_order_of_changes"),
        ("devices", "0036_spaces"),
        ("devices", "0037_errors_of_deliveries"),
        ("devices", "0038_indexes_of_searches"),
    ]
    dependencies = [
        ("users", "0001_squashed_0027_spaces"),
    ]
    operations = [
        migrating.CreateModels([
            migrations.CreateModel(
                name='Channel',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('user_key', models.CharField(blank=True, max_length=128)),
                    ('user_short_name', models.CharField(blank=True, max_length=255)),
                    ('user_long_name', models.CharField(blank=True, max_length=255)),
                    ('push_token', models.BinaryField(null=True)),
                    ('push_magic', epmm.fields.EncryptedField(null=True)),
                    ('token_updated_at', models.DateTimeField(null=True)),
                    ('awaiting_configuration', models.BooleanField(default=False)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('last_seen_at', models.DateTimeField(null=True)),
                    ('idle_at', models.DateTimeField(null=True)),
                    ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='channels', to='devices.enrollment')),
                    ('push_refused_at', models.DateTimeField(null=True)),
                    ('pushed_at', models.DateTimeField(null=True)),
                    ('push_leased_until', models.DateTimeField(null=True)),
                    ('push_failures', models.SmallIntegerField(db_default=0, default=0)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('enrollment', 'user_key'), name='channel_once')],
                },
            ),
            migrations.CreateModel(
                name='Device',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                    ('space_id', models.PositiveIntegerField(default=1)),
                    ('status', models.CharField(choices=[('VERIFICATION_PENDING', 'Pending'), ('VERIFIED', 'Verified'), ('IENROLL_VERIFIED', 'Enrollment verified'), ('IENROLL_INPROGRESS', 'Enrolling'), ('IENROLL_COMPLETE', 'Enrolled'), ('ACTIVE', 'Active'), ('LOST', 'Lost'), ('WIPE_PENDING', 'Wipe pending'), ('WIPED', 'Wiped'), ('RETIRE_PENDING', 'Retire pending'), ('RETIRED', 'Retired'), ('EXPIRED', 'Expired'), ('BLOCKED', 'Blocked'), ('INFECTED', 'Infected'), ('UNKNOWN', 'Unknown')], default='UNKNOWN', max_length=24)),
                    ('owner', models.CharField(choices=[('COMPANY', 'Company'), ('EMPLOYEE', 'Employee')], default='COMPANY', max_length=8)),
                    ('enrollment_type', models.CharField(blank=True, choices=[('adde', 'Account-driven device enrollment'), ('aaue', 'Account-driven user enrollment')], max_length=8)),
                    ('managed_apple_account', models.CharField(blank=True, max_length=320)),
                    ('mdm_managed', models.BooleanField(default=False)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('modified_at', models.DateTimeField(auto_now=True)),
                    ('registered_at', models.DateTimeField(null=True)),
                    ('last_seen_at', models.DateTimeField(null=True)),
                    ('retired_at', models.DateTimeField(null=True)),
                    ('retired_reason', models.CharField(blank=True, max_length=64)),
                    ('udid', models.CharField(blank=True, max_length=128)),
                    ('enrollment_id', models.CharField(blank=True, max_length=128)),
                    ('serial_number', models.CharField(blank=True, max_length=64)),
                    ('imei', models.CharField(blank=True, max_length=32)),
                    ('meid', models.CharField(blank=True, max_length=32)),
                    ('platform', models.CharField(blank=True, choices=[('iOS', 'iOS'), ('macOS', 'macOS'), ('visionOS', 'visionOS')], max_length=16)),
                    ('family', models.CharField(blank=True, max_length=16)),
                    ('product_name', models.CharField(blank=True, max_length=64)),
                    ('model', models.CharField(blank=True, max_length=64)),
                    ('model_name', models.CharField(blank=True, max_length=128)),
                    ('device_name', models.CharField(blank=True, max_length=255)),
                    ('os_version', models.CharField(blank=True, max_length=32)),
                    ('os_version_number', models.PositiveBigIntegerField(null=True)),
                    ('build_version', models.CharField(blank=True, max_length=32)),
                    ('language', models.CharField(blank=True, max_length=35)),
                    ('is_supervised', models.BooleanField(null=True)),
                    ('is_user_enrollment', models.BooleanField(null=True)),
                    ('storage_capacity', models.FloatField(null=True)),
                    ('storage_free', models.FloatField(null=True)),
                    ('battery_level', models.FloatField(null=True)),
                    ('wifi_mac', models.CharField(blank=True, max_length=17)),
                    ('bluetooth_mac', models.CharField(blank=True, max_length=17)),
                    ('ethernet_mac', models.CharField(blank=True, max_length=17)),
                    ('iccid', models.CharField(blank=True, max_length=32)),
                    ('phone_number', models.CharField(blank=True, max_length=32)),
                    ('cellular_technology', models.PositiveSmallIntegerField(null=True)),
                    ('current_carrier', models.CharField(blank=True, max_length=64)),
                    ('home_carrier', models.CharField(blank=True, max_length=64)),
                    ('is_roaming', models.BooleanField(null=True)),
                    ('data_roaming_enabled', models.BooleanField(null=True)),
                    ('is_cloud_backup_enabled', models.BooleanField(null=True)),
                    ('store_account_is_active', models.BooleanField(null=True)),
                    ('activation_lock_enabled', models.BooleanField(null=True)),
                    ('passcode_present', models.BooleanField(null=True)),
                    ('passcode_is_compliant', models.BooleanField(null=True)),
                    ('passcode_is_compliant_with_profiles', models.BooleanField(null=True)),
                    ('hardware_encryption', models.PositiveSmallIntegerField(null=True)),
                    ('filevault_enabled', models.BooleanField(null=True)),
                    ('system_integrity_protection', models.BooleanField(null=True)),
                    ('inventory_at', models.DateTimeField(null=True)),
                    ('details', models.JSONField(default=dict)),
                    ('pin', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='devices', to='users.registrationpin')),
                    ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='devices', to=settings.AUTH_USER_MODEL)),
                    ('unreachable_since', models.DateTimeField(null=True)),
                    ('enrollment_failed_at', models.DateTimeField(null=True)),
                    ('name_folded', epmm.folding.FoldedField(blank=True, db_default='', default='', editable=False)),
                    ('search_text', epmm.folding.FoldedField(blank=True, db_default='', default='', editable=False)),
                    ('user_email_folded', epmm.folding.FoldedField(blank=True, db_default='', default='', editable=False)),
                    ('user_id_folded', epmm.folding.FoldedField(blank=True, db_default='', default='', editable=False)),
                    ('user_name_folded', epmm.folding.FoldedField(blank=True, db_default='', default='', editable=False)),
                    ('lost_at', models.DateTimeField(null=True)),
                    ('comment', models.TextField(blank=True, db_default='', default='')),
                    ('comment_folded', epmm.folding.FoldedField(blank=True, db_default='', default='', editable=False)),
                    ('home_country', models.CharField(blank=True, db_default='', default='', max_length=2)),
                    ('current_country', models.CharField(blank=True, db_default='', default='', max_length=2)),
                    ('current_mcc', models.CharField(blank=True, db_default='', default='', max_length=3)),
                    ('carrier_settings_version', models.CharField(blank=True, db_default='', default='', max_length=32)),
                    ('os_update_status', models.CharField(blank=True, db_default='', default='', max_length=32)),
                    ('ip_address', models.CharField(blank=True, db_default='', default='', max_length=39)),
                    ('terms_accepted_at', models.DateTimeField(null=True)),
                ],
                options={
                    'indexes': [models.Index(condition=models.Q(('udid', ''), _negated=True), fields=['udid'], name='device_udid'), models.Index(fields=['user', 'status'], name='device_user_status'), models.Index(fields=['status', '-last_seen_at', '-id'], name='device_status_seen'), models.Index(condition=models.Q(('status', 'RETIRED'), _negated=True), fields=['-registered_at', '-id'], name='device_registered'), models.Index(devices.search.sql.AsciiLower('serial_number'), name='device_serial_any_case'), models.Index(fields=['serial_number', 'id'], name='device_serial_order'), models.Index(condition=models.Q(('enrollment_id', ''), _negated=True), fields=['enrollment_id'], name='device_enrollment'), models.Index(fields=['user_name_folded', 'id'], name='device_user_name'), models.Index(fields=['name_folded', 'id'], name='device_name'), models.Index(fields=['status', 'platform', 'enrollment_type', 'owner', 'os_version'], name='device_kinds_owned'), models.Index(devices.search.sql.AsciiLower('retired_reason'), condition=models.Q(('retired_reason', ''), _negated=True), name='device_retired_reason'), models.Index(condition=models.Q(('enrollment_failed_at__isnull', False)), fields=['enrollment_failed_at'], name='device_failed'), models.Index(fields=['status', '-registered_at', '-id'], name='device_status_registered'), models.Index(condition=models.Q(('retired_at__isnull', False)), fields=['retired_at', 'status'], name='device_retired_at'), models.Index(condition=models.Q(('status', 'RETIRED'), _negated=True), fields=['platform', 'os_version_number'], name='device_systems'), models.Index(condition=models.Q(('battery_level__lt', 0.2)), fields=['battery_level'], name='device_battery_low'), models.Index(fields=['ip_address'], name='device_ip_address'), models.Index(fields=['modified_at', 'id'], name='device_modified_order'), models.Index(condition=models.Q(('status', 'RETIRED'), _negated=True), fields=['-last_seen_at', '-id', 'enrollment_type', 'os_version_number'], name='device_seen_kind'), models.Index(condition=models.Q(('home_country', ''), _negated=True), fields=['home_country', '-last_seen_at', '-id'], name='device_home_seen'), models.Index(condition=models.Q(('current_country', ''), _negated=True), fields=['current_country', '-last_seen_at', '-id'], name='device_current_seen')],
                    'constraints': [models.UniqueConstraint(condition=models.Q(('mdm_managed', True), models.Q(('udid', ''), _negated=True)), fields=('udid',), name='device_udid_managed_once')],
                },
            ),
            migrations.CreateModel(
                name='Enrollment',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('kind', models.CharField(choices=[('adde', 'Adde'), ('aaue', 'Aaue')], max_length=8)),
                    ('state', models.SmallIntegerField(choices=[(0, 'Pending'), (1, 'Authenticated'), (2, 'Active'), (3, 'Ended')], default=0)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('authenticated_at', models.DateTimeField(null=True)),
                    ('reauthenticated_at', models.DateTimeField(null=True)),
                    ('active_at', models.DateTimeField(null=True)),
                    ('ended_at', models.DateTimeField(null=True)),
                    ('end_reason', models.CharField(blank=True, max_length=64)),
                    ('managed_apple_account', models.CharField(max_length=320)),
                    ('topic', models.CharField(max_length=255)),
                    ('server_url', models.CharField(max_length=500)),
                    ('checkin_url', models.CharField(max_length=500)),
                    ('access_rights', models.PositiveIntegerField(null=True)),
                    ('profile_identifier', models.CharField(max_length=255)),
                    ('sign_message', models.BooleanField(default=True)),
                    ('udid', models.CharField(blank=True, max_length=128)),
                    ('enrollment_id', models.CharField(blank=True, max_length=128)),
                    ('device_key', models.CharField(blank=True, max_length=128)),
                    ('family', models.CharField(blank=True, max_length=16)),
                    ('bearer_sha256', models.BinaryField(max_length=32, null=True)),
                    ('unlock_token', epmm.fields.EncryptedField(null=True)),
                    ('bootstrap_token', epmm.fields.EncryptedField(null=True)),
                    ('device', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='enrollments', to='devices.device')),
                    ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='enrollments', to=settings.AUTH_USER_MODEL)),
                    ('bearer_lapses_at', models.DateTimeField(null=True)),
                ],
                options={
                    'indexes': [models.Index(fields=['device_key'], name='enrollment_device_key'), models.Index(fields=['bearer_sha256'], name='enrollment_bearer'), models.Index(fields=['topic', 'state', 'device'], name='enrollment_topic'), models.Index(fields=['state', 'server_url'], name='enrollment_calls')],
                },
            ),
            migrations.CreateModel(
                name='Identity',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('sha256', models.BinaryField(max_length=32, unique=True)),
                    ('serial_number', models.CharField(max_length=40, unique=True)),
                    ('der', models.BinaryField()),
                    ('not_before', models.DateTimeField()),
                    ('not_after', models.DateTimeField()),
                    ('state', models.SmallIntegerField(choices=[(0, 'Issued'), (1, 'Pending'), (2, 'Current'), (3, 'Replaced'), (4, 'Revoked')], default=0)),
                    ('issued_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='identities', to='devices.enrollment')),
                    ('warned_at', models.DateTimeField(null=True)),
                ],
                options={
                    'verbose_name_plural': 'identities',
                    'indexes': [models.Index(condition=models.Q(('state', 2)), fields=['not_after', 'id'], name='identity_expires')],
                },
            ),
            migrations.CreateModel(
                name='InstalledApplication',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('identifier', models.CharField(max_length=255)),
                    ('name', models.CharField(blank=True, max_length=255)),
                    ('version', models.CharField(blank=True, max_length=64)),
                    ('short_version', models.CharField(blank=True, max_length=64)),
                    ('bundle_size', models.BigIntegerField(null=True)),
                    ('dynamic_size', models.BigIntegerField(null=True)),
                    ('details', models.JSONField(default=dict)),
                    ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='applications', to='devices.device')),
                ],
                options={
                    'indexes': [models.Index(fields=['identifier'], name='application_identifier')],
                },
            ),
            migrations.CreateModel(
                name='InstalledCertificate',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('common_name', models.CharField(blank=True, max_length=255)),
                    ('is_identity', models.BooleanField(default=False)),
                    ('sha256', models.CharField(blank=True, max_length=64)),
                    ('not_after', models.DateTimeField(null=True)),
                    ('der', models.BinaryField()),
                    ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='certificates', to='devices.device')),
                ],
            ),
            migrations.CreateModel(
                name='InstalledProfile',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('identifier', models.CharField(max_length=255)),
                    ('profile_uuid', models.CharField(blank=True, max_length=64)),
                    ('display_name', models.CharField(blank=True, max_length=255)),
                    ('is_managed', models.BooleanField(null=True)),
                    ('details', models.JSONField(default=dict)),
                    ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='profiles', to='devices.device')),
                ],
            ),
            migrations.CreateModel(
                name='StatusReport',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('body', models.BinaryField()),
                    ('received_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('channel', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='status_reports', to='devices.channel')),
                ],
            ),
            migrations.CreateModel(
                name='Broadcast',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                    ('request_type', models.CharField(max_length=64)),
                    ('request', epmm.fields.EncryptedField(null=True)),
                    ('actor', models.CharField(max_length=255)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('queued_at', models.DateTimeField(null=True)),
                    ('cancelled_at', models.DateTimeField(null=True)),
                    ('selection', models.JSONField(default=dict)),
                    ('next_device', models.BigIntegerField(default=0)),
                    ('queued', models.PositiveIntegerField(default=0)),
                    ('refused', models.PositiveIntegerField(default=0)),
                    ('refusals', models.JSONField(default=dict)),
                    ('outcome', models.JSONField(default=None, null=True)),
                    ('tally', models.JSONField(default=None, null=True)),
                    ('space_id', models.IntegerField(db_default=1, default=1)),
                ],
            ),
            migrations.CreateModel(
                name='Payload',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('digest', models.CharField(max_length=64, unique=True)),
                    ('rendered', epmm.fields.EncryptedField()),
                    ('used_at', models.DateTimeField(default=django.utils.timezone.now)),
                ],
            ),
            migrations.CreateModel(
                name='Result',
                fields=[
                    ('uuid', models.UUIDField(default=uuid.uuid4, editable=False)),
                    ('request_type', models.CharField(max_length=64)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('offered_at', models.DateTimeField(null=True)),
                    ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                    ('state', models.SmallIntegerField(choices=[(0, 'Queued'), (1, 'Offered'), (2, 'Not Now'), (3, 'Acknowledged'), (4, 'Error'), (5, 'Format Error'), (6, 'Cancelled')])),
                    ('body', models.BinaryField()),
                    ('received_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('broadcast', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='%(class)ss', to='devices.broadcast')),
                    ('channel', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='%(class)ss', to='devices.channel')),
                    ('payload', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='devices.payload')),
                ],
                options={
                    'abstract': False,
                },
            ),
            migrations.CreateModel(
                name='FinishedCommand',
                fields=[
                    ('uuid', models.UUIDField(default=uuid.uuid4, editable=False)),
                    ('request_type', models.CharField(max_length=64)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('offered_at', models.DateTimeField(null=True)),
                    ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                    ('state', models.SmallIntegerField(choices=[(0, 'Queued'), (1, 'Offered'), (2, 'Not Now'), (3, 'Acknowledged'), (4, 'Error'), (5, 'Format Error'), (6, 'Cancelled')])),
                    ('done_at', models.DateTimeField()),
                    ('body', epmm.fields.CompressedField(null=True)),
                    ('broadcast', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='%(class)ss', to='devices.broadcast')),
                    ('channel', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='%(class)ss', to='devices.channel')),
                    ('payload', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='devices.payload')),
                ],
                options={
                    'indexes': [models.Index(fields=['channel', '-id'], name='finished_of_channel'), models.Index(condition=models.Q(('broadcast__isnull', False)), fields=['broadcast', 'state'], name='finished_of_broadcast')],
                },
            ),
            migrations.CreateModel(
                name='Command',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('uuid', models.UUIDField(default=uuid.uuid4, editable=False)),
                    ('request_type', models.CharField(max_length=64)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('offered_at', models.DateTimeField(null=True)),
                    ('state', models.SmallIntegerField(choices=[(0, 'Queued'), (1, 'Offered'), (2, 'Not Now'), (3, 'Acknowledged'), (4, 'Error'), (5, 'Format Error'), (6, 'Cancelled')], default=0)),
                    ('priority', models.SmallIntegerField(default=0)),
                    ('not_now_at', models.DateTimeField(null=True)),
                    ('not_now_count', models.PositiveIntegerField(default=0)),
                    ('push_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('broadcast', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='%(class)ss', to='devices.broadcast')),
                    ('channel', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='%(class)ss', to='devices.channel')),
                    ('payload', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='devices.payload')),
                ],
                options={
                    'indexes': [models.Index(fields=['channel', 'priority', 'id'], name='command_next'), models.Index(fields=['push_at'], name='command_push'), models.Index(condition=models.Q(('broadcast__isnull', False)), fields=['broadcast'], name='command_broadcast')],
                    'constraints': [models.UniqueConstraint(fields=('uuid',), name='command_once'), models.CheckConstraint(condition=models.Q(('state__lte', 2), ('state', 6), _connector='OR'), name='command_in_queue')],
                },
            ),
            migrations.CreateModel(
                name='PushCertificate',
                fields=[
                    ('id', models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                    ('private_key', epmm.fields.EncryptedField()),
                    ('key_sha256', models.BinaryField(max_length=32)),
                    ('certificate', models.BinaryField()),
                    ('sha256', models.BinaryField(max_length=32)),
                    ('topic', models.CharField(max_length=255)),
                    ('serial_number', models.CharField(max_length=64)),
                    ('issuer', models.TextField()),
                    ('not_before', models.DateTimeField()),
                    ('not_after', models.DateTimeField()),
                    ('installed_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('apple_account', models.CharField(blank=True, max_length=320)),
                    ('warned_days', models.SmallIntegerField(null=True)),
                    ('refused_at', models.DateTimeField(null=True)),
                ],
                options={
                    'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='push_certificate_only')],
                },
            ),
            migrations.CreateModel(
                name='PushRequest',
                fields=[
                    ('id', models.SmallIntegerField(default=1, editable=False, primary_key=True, serialize=False)),
                    ('private_key', epmm.fields.EncryptedField()),
                    ('key_sha256', models.BinaryField(max_length=32)),
                    ('csr', models.BinaryField()),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ],
                options={
                    'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='push_request_only')],
                },
            ),
            migrations.CreateModel(
                name='Answer',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('request_type', models.CharField(max_length=64)),
                    ('user_key', models.CharField(blank=True, max_length=128)),
                    ('content', models.JSONField(default=dict)),
                    ('received_at', models.DateTimeField()),
                    ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='answers', to='devices.device')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('device', 'request_type', 'user_key'), name='answer_once')],
                },
            ),
            migrations.CreateModel(
                name='AvailableUpdate',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('product_key', models.CharField(max_length=255)),
                    ('name', models.CharField(blank=True, max_length=255)),
                    ('version', models.CharField(blank=True, max_length=64)),
                    ('build', models.CharField(blank=True, max_length=32)),
                    ('is_critical', models.BooleanField(null=True)),
                    ('restart_required', models.BooleanField(null=True)),
                    ('is_security_response', models.BooleanField(null=True)),
                    ('details', models.JSONField(default=dict)),
                    ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='available_updates', to='devices.device')),
                ],
                options={
                    'indexes': [models.Index(fields=['version'], name='available_update_version')],
                },
            ),
            migrations.CreateModel(
                name='LocalUser',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=255)),
                    ('full_name', models.CharField(blank=True, max_length=255)),
                    ('uid', models.BigIntegerField(null=True)),
                    ('guid', models.CharField(blank=True, max_length=64)),
                    ('is_logged_in', models.BooleanField(null=True)),
                    ('has_secure_token', models.BooleanField(null=True)),
                    ('details', models.JSONField(default=dict)),
                    ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='local_users', to='devices.device')),
                ],
                options={
                    'indexes': [models.Index(fields=['name'], name='local_user_name')],
                },
            ),
            migrations.CreateModel(
                name='ManagedApplication',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('identifier', models.CharField(max_length=255)),
                    ('state', models.CharField(blank=True, max_length=64)),
                    ('rejection', models.CharField(blank=True, max_length=64)),
                    ('details', models.JSONField(default=dict)),
                    ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='managed_applications', to='devices.device')),
                ],
                options={
                    'indexes': [models.Index(fields=['identifier', 'state'], name='managed_application_state')],
                },
            ),
            migrations.CreateModel(
                name='Secret',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=64)),
                    ('value', epmm.fields.EncryptedField()),
                    ('received_at', models.DateTimeField()),
                    ('enrollment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='secrets', to='devices.enrollment')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('enrollment', 'name'), name='secret_once')],
                },
            ),
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
                    ('space_id', models.IntegerField(db_default=1, default=1)),
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
            migrations.CreateModel(
                name='Configuration',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('identifier', models.CharField(max_length=255, unique=True)),
                    ('name', models.CharField(max_length=255)),
                    ('description', models.TextField(blank=True)),
                    ('scope', models.CharField(choices=[('System', 'Device'), ('User', 'User of a Mac')], max_length=8)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('removed_at', models.DateTimeField(null=True)),
                    ('current', models.ForeignKey(null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='devices.configurationversion')),
                    ('space_id', models.IntegerField(db_default=1, default=1)),
                ],
            ),
            migrations.CreateModel(
                name='Label',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('name', models.CharField(max_length=255, unique=True)),
                    ('description', models.CharField(blank=True, max_length=1000)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('devices', models.ManyToManyField(related_name='labels', through='devices.LabelMember', to='devices.device')),
                    ('criteria', models.TextField(blank=True, db_default='', default='')),
                    ('evaluated_at', models.DateTimeField(null=True)),
                    ('is_built_in', models.BooleanField(db_default=False, default=False)),
                    ('kind', models.CharField(choices=[('manual', 'Manual'), ('filter', 'Filter')], db_default='manual', default='manual', max_length=8)),
                    ('name_folded', epmm.folding.FoldedField(blank=True, db_default='', default='', editable=False)),
                    ('space_id', models.IntegerField(db_default=1, default=1)),
                ],
                options={
                    'constraints': [models.UniqueConstraint(condition=models.Q(('name_folded', ''), _negated=True), fields=('name_folded',), name='label_name_any_case')],
                },
            ),
            migrations.CreateModel(
                name='ConfigurationVersion',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('number', models.PositiveIntegerField()),
                    ('digest', models.CharField(max_length=64)),
                    ('content', epmm.fields.EncryptedField()),
                    ('size', models.PositiveIntegerField()),
                    ('profile_uuid', models.CharField(max_length=64)),
                    ('payloads', models.JSONField()),
                    ('signer', models.CharField(blank=True, max_length=255)),
                    ('is_signed', models.BooleanField()),
                    ('uploaded_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('uploaded_by', models.CharField(max_length=255)),
                    ('configuration', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='devices.configuration')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('configuration', 'number'), name='configuration_version_once')],
                },
            ),
            migrations.CreateModel(
                name='ConfigurationDelivery',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('state', models.CharField(choices=[('PENDING', 'Pending'), ('SENT', 'Sent'), ('APPLIED', 'Applied'), ('FAILED', 'Failed'), ('REVOKED', 'Revoked'), ('UPDATE_PENDING', 'Update pending'), ('UPDATE_FAILED', 'Update failed'), ('UNKNOWN', 'Unknown')], default='PENDING', max_length=20)),
                    ('in_doubt', models.BooleanField(default=False)),
                    ('command_id', models.BigIntegerField(null=True)),
                    ('command_uuid', models.UUIDField(null=True)),
                    ('error_code', models.BigIntegerField(null=True)),
                    ('error_domain', models.CharField(blank=True, max_length=128)),
                    ('error_text', models.CharField(blank=True, max_length=1000)),
                    ('attempts', models.PositiveSmallIntegerField(default=0)),
                    ('mended', models.PositiveSmallIntegerField(default=0)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('installed_at', models.DateTimeField(null=True)),
                    ('answered_at', models.DateTimeField(null=True)),
                    ('checked_at', models.DateTimeField(null=True)),
                    ('due_at', models.DateTimeField(default=django.utils.timezone.now, null=True)),
                    ('channel', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='devices.channel')),
                    ('configuration', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='devices.configuration')),
                    ('installed', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='devices.configurationversion')),
                    ('sent', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='devices.configurationversion')),
                    ('wanted', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='devices.configurationversion')),
                    ('error_parts', models.JSONField(null=True)),
                ],
                options={
                    'verbose_name_plural': 'configuration deliveries',
                    'indexes': [models.Index(fields=['configuration', 'state'], name='delivery_state'), models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at'], name='delivery_due')],
                    'constraints': [models.UniqueConstraint(fields=('channel', 'configuration'), name='delivery_once')],
                },
            ),
            migrations.CreateModel(
                name='ConfigurationAssignment',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('created_by', models.CharField(max_length=255)),
                    ('configuration', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='assignments', to='devices.configuration')),
                    ('device', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='configuration_assignments', to='devices.device')),
                    ('label', models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='configuration_assignments', to='devices.label')),
                ],
                options={
                    'constraints': [models.CheckConstraint(condition=models.Q(('device__isnull', True), ('label__isnull', True), _connector='XOR'), name='assignment_has_one_target'), models.UniqueConstraint(fields=('configuration', 'device'), name='assignment_to_device_once'), models.UniqueConstraint(fields=('configuration', 'label'), name='assignment_to_label_once')],
                },
            ),
            migrations.CreateModel(
                name='LabelMember',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('added_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='label_members', to='devices.device')),
                    ('label', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='members', to='devices.label')),
                ],
                options={
                    'constraints': [models.UniqueConstraint(fields=('label', 'device'), name='label_member_once')],
                },
            ),
            migrations.CreateModel(
                name='DeviceAttribute',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('text', models.CharField(max_length=255)),
                    ('folded', epmm.folding.FoldedField(blank=True, db_default='', default='', editable=False)),
                    ('number', models.FloatField(null=True)),
                    ('day', models.DateField(null=True)),
                    ('attribute', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='users.customattribute')),
                    ('device', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='custom_attributes', to='devices.device')),
                ],
                options={
                    'indexes': [models.Index(fields=['attribute', 'folded'], name='device_attribute_text'), models.Index(condition=models.Q(('number__isnull', False)), fields=['attribute', 'number'], name='device_attribute_number'), models.Index(condition=models.Q(('day__isnull', False)), fields=['attribute', 'day'], name='device_attribute_day')],
                    'constraints': [models.UniqueConstraint(fields=('device', 'attribute'), name='device_attribute_once')],
                },
            ),
            migrations.CreateModel(
                name='ActionRun',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('action', models.CharField(max_length=32)),
                    ('values', epmm.fields.EncryptedField()),
                    ('asked', models.TextField(blank=True)),
                    ('actor', models.CharField(max_length=255)),
                    ('address', models.GenericIPAddressField(null=True)),
                    ('language', models.CharField(blank=True, max_length=16)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('stopped_at', models.DateTimeField(null=True)),
                    ('done_at', models.DateTimeField(null=True)),
                    ('refusal', models.CharField(blank=True, max_length=500)),
                    ('number', models.PositiveIntegerField()),
                    ('done', models.PositiveIntegerField(default=0)),
                    ('skipped', models.PositiveIntegerField(default=0)),
                    ('last_result', models.BigIntegerField(default=0)),
                    ('space_id', models.IntegerField(db_default=1, default=1)),
                ],
                options={
                    'indexes': [models.Index(fields=['created_at'], name='action_run_created')],
                },
            ),
            migrations.CreateModel(
                name='ActionResult',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('state', models.SmallIntegerField(choices=[(0, 'Waiting'), (1, 'Done'), (2, 'Skipped')], default=0)),
                    ('said', models.CharField(blank=True, max_length=500)),
                    ('device', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='devices.device')),
                    ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='results', to='devices.actionrun')),
                ],
                options={
                    'indexes': [models.Index(fields=['run', 'id'], name='action_result_of_run'), models.Index(fields=['run', 'state', 'id'], name='action_result_by_state')],
                },
            ),
            migrations.CreateModel(
                name='Duplicate',
                fields=[
                    ('device', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='duplicate', serialize=False, to='devices.device')),
                ],
            ),
            migrations.CreateModel(
                name='LongExpression',
                fields=[
                    ('digest', models.CharField(max_length=32, primary_key=True, serialize=False)),
                    ('text', models.TextField()),
                    ('used_at', models.DateTimeField(db_index=True, default=django.utils.timezone.now)),
                ],
            ),
            migrations.CreateModel(
                name='DeclarationRun',
                fields=[
                    ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                    ('uuid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                    ('takes', models.BooleanField(default=False)),
                    ('for_users', models.BooleanField(default=False)),
                    ('actor', models.CharField(max_length=255)),
                    ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                    ('done_at', models.DateTimeField(null=True)),
                    ('stopped_at', models.DateTimeField(null=True)),
                    ('selection', models.JSONField(default=dict)),
                    ('next_device', models.BigIntegerField(default=0)),
                    ('changed', models.PositiveIntegerField(default=0)),
                    ('unchanged', models.PositiveIntegerField(default=0)),
                    ('refused', models.PositiveIntegerField(default=0)),
                    ('refusals', models.JSONField(default=dict)),
                    ('declaration', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='devices.declaration')),
                ],
            ),
        ]),
        migrations.RunPython(store, migrations.RunPython.noop),
        migrations.RunPython(create_trigram_index, migrations.RunPython.noop),
        migrations.RunPython(add_labels, migrations.RunPython.noop),
    ]
