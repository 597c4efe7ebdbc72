"""When the terms were accepted to enroll a device stands with its record, too: what was accepted before now is copied.

Of the enrollments that are in force; the newest acceptance comes last, and its moment stays.
"""

from django.db import migrations

from epmm import migrating

ACTIVE = 2  # Enrollment.State


def missing(acceptances):
    return acceptances.filter(
        policy__kind="terms",
        attempt__enrollment__state=ACTIVE,
        attempt__enrollment__device__mdm_managed=True,
        attempt__enrollment__device__terms_accepted_at=None,
    )


def fill(acceptances):
    for acceptance in acceptances.order_by("pk").select_related("attempt__enrollment__device"):
        device = acceptance.attempt.enrollment.device
        device.terms_accepted_at = acceptance.accepted_at
        device.save(update_fields=["terms_accepted_at"])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("enrollment", "0007_attempt_owner"), ("devices", "0032_search_fields")]
    operations = [migrating.FillInChunks("acceptance", missing, fill)]
