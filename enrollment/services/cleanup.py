"""What became of enrollments that nobody finished."""

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from devices.models import Device, Enrollment
from devices.services.retire import end_enrollment

UNFINISHED_AFTER: Final = timedelta(hours=24)
ABANDONED: Final = "not finished"


def abandon_unfinished() -> None:
    """A day after the sign-in nothing more will come: the challenge has expired."""
    before = timezone.now() - UNFINISHED_AFTER
    waiting = (Enrollment.State.PENDING, Enrollment.State.AUTHENTICATED)
    for enrollment in Enrollment.objects.filter(state__in=waiting, created_at__lt=before).select_related("device"):
        end_enrollment(enrollment, reason=ABANDONED, now=timezone.now())
    with transaction.atomic():
        stale = Device.objects.filter(status__in=Device.PROVISIONAL, registered_at__lt=before)
        # A record that never was enrolled says nothing; one that was goes back to what it is.
        stale.filter(retired_at=None).exclude(enrollments__active_at__isnull=False).delete()
        stale.exclude(retired_at=None).update(status=Device.Status.RETIRED)
