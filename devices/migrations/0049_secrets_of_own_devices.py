"""What opens somebody's own device is no longer kept (`userenrollment: forbidden`); this clears what was."""

from django.db import migrations
from django.db.models import Q

from epmm import migrating


def missing(enrollments):
    kept = Q(unlock_token__isnull=False) | Q(bootstrap_token__isnull=False)
    return enrollments.filter(kept, kind="aaue")


def clear(enrollments):
    enrollments.update(unlock_token=None, bootstrap_token=None)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("devices", "0048_late_columns")]
    operations = [migrating.FillInChunks("enrollment", missing, clear)]
