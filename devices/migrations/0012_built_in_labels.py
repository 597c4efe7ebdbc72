"""Labels that every installation has.  A label that was there before under such a name stays as it is."""

from django.db import migrations

STANDING = ' AND "common.retired" = "false"'
BUILT_IN = {
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


def add(apps, schema_editor):
    labels = apps.get_model("devices", "Label").objects
    taken = {name.casefold() for name in labels.values_list("name", flat=True)}
    for name, (description, criteria) in BUILT_IN.items():
        if name.casefold() in taken:
            name = f"{name} (built-in)"
        labels.get_or_create(
            name=name,
            defaults={"description": description, "criteria": criteria, "kind": "filter", "is_built_in": True},
        )


def remove(apps, schema_editor):
    apps.get_model("devices", "Label").objects.filter(is_built_in=True).delete()


class Migration(migrations.Migration):
    dependencies = [("devices", "0011_search_indexes")]
    operations = [migrations.RunPython(add, remove)]
