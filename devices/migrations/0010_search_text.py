"""What the search reads of the devices that are there.  The worker describes those that the previous release adds now."""

from django.db import migrations

from epmm import migrating

OWN = (
    "device_name", "serial_number", "product_name", "model", "model_name", "phone_number", "imei",
    "managed_apple_account",
)
OF_USER = ("user__user_id", "user__full_name", "user__first_name", "user__last_name", "user__email")
UPDATE = """
    UPDATE devices_device SET name_folded = %s, user_id_folded = %s, user_name_folded = %s, user_email_folded = %s,
    search_text = %s WHERE id = %s
"""


def row(pk, user_id, full_name, first_name, last_name, email, *own):
    display_name = full_name or f"{first_name} {last_name}".strip() or user_id
    user = [text.casefold() for text in (user_id, display_name, email)]
    own = [text.casefold() for text in own]
    return own[0], *user, "\x1f".join(dict.fromkeys(text for text in (*user, *own) if text)), pk


def missing(devices):
    """Whoever is described has at least the name of the user in it."""
    return devices.filter(search_text="")


def describe(devices):
    values = devices.values_list("pk", *OF_USER, *OWN)
    migrating.update_each(devices, UPDATE, [row(*each) for each in values])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0009_search")]
    operations = [migrating.FillInChunks("device", missing, describe)]
