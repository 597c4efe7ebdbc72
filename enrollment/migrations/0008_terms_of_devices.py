"""When the terms were accepted to enroll a device stands with its record, too: what was accepted before now is copied.

Of the enrollments that are in force; the moment of the newest acceptance stays, in whichever chunk it comes.
"""

from django.db import migrations
from django.db.models import F, Q

from epmm import migrating

ACTIVE = 2  # Enrollment.State


DEVICE = "attempt__enrollment__device"


def missing(acceptances):
    known = f"{DEVICE}__terms_accepted_at"
    news = Q((known, None)) | Q((f"{known}__lt", F("accepted_at")))
    in_force = {"attempt__enrollment__state": ACTIVE, f"{DEVICE}__mdm_managed": True}
    return acceptances.filter(news, policy__kind="terms", **in_force)


def fill(acceptances):
    """In the order in which others lock several devices."""
    for acceptance in acceptances.order_by(DEVICE, "accepted_at").select_related(DEVICE):
        device = acceptance.attempt.enrollment.device
        device.terms_accepted_at = acceptance.accepted_at
        device.save(update_fields=["terms_accepted_at"])


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("enrollment", "0007_attempt_owner"), ("devices", "0032_search_fields")]
    operations = [migrating.FillInChunks("acceptance", missing, fill)]
