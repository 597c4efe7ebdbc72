"""The tables of django-otp are read by its models of today: to depend on its migrations, which depend on the first one
here, would stand in the way of 0001_squashed.  Where the tables are not there, no key is.
"""

import secrets

from django.apps import apps as today
from django.db import migrations
from django.utils.crypto import salted_hmac

KEY_BYTES = 20
TABLE = "otp_totp_totpdevice"


def encrypt(apps, schema_editor):
    """Move the keys from django-otp's table, which holds them in clear, and hash the backup codes.

    The rows there stay with a key that nobody has: the release before this one, while it still serves, goes on asking
    for a code, takes none, and lets nobody past it.
    """
    if TABLE not in schema_editor.connection.introspection.table_names():
        return
    authenticators = apps.get_model("users", "Authenticator").objects
    backup_codes = apps.get_model("users", "BackupCode").objects
    for row in today.get_model("otp_totp", "TOTPDevice").objects.order_by("-pk"):
        kept = {"key": bytes.fromhex(row.key), "last_step": row.last_t, "drift": row.drift}
        authenticators.get_or_create(user_id=row.user_id, confirmed=row.confirmed, defaults=kept)
        row.key = secrets.token_hex(KEY_BYTES)
        row.save(update_fields=["key"])
    tokens = today.get_model("otp_static", "StaticToken").objects
    for user, token in tokens.values_list("device__user_id", "token"):
        hashed = salted_hmac("users.backup_code", token, algorithm="sha256").hexdigest()
        backup_codes.get_or_create(user_id=user, hashed=hashed)
    tokens.all().delete()


def decrypt(apps, schema_editor):
    """The keys go back.  Backup codes are hashed and do not: they are made anew in the portal."""
    devices = today.get_model("otp_totp", "TOTPDevice").objects
    devices.all().delete()
    for row in apps.get_model("users", "Authenticator").objects.all():
        devices.create(
            user_id=row.user_id,
            name="authenticator",
            confirmed=row.confirmed,
            key=bytes(row.key).hex(),
            last_t=row.last_step,
            drift=row.drift,
        )
    apps.get_model("users", "Authenticator").objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("users", "0005_second_factor")]
    operations = [migrations.RunPython(encrypt, decrypt)]
