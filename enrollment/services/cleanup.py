"""What became of enrollments that nobody finished."""

from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from devices.models import Device, Enrollment
from devices.services.retire import end_enrollment

UNFINISHED_AFTER: Final = timedelta(hours=24)
ABANDONED: Final = gettext_noop("not finished")


def abandon_unfinished() -> None:
    """A day after the sign-in nothing more will come: the challenge has expired."""
    before = timezone.now() - UNFINISHED_AFTER
    waiting = (Enrollment.State.PENDING, Enrollment.State.AUTHENTICATED)
    unfinished = Enrollment.objects.filter(state__in=waiting, created_at__lt=before)
    for key in list(unfinished.values_list("pk", flat=True)):
        with transaction.atomic():
            # Looked at again under the lock: the device may have come at this very moment.
            enrollment = unfinished.select_for_update().filter(pk=key).first()
            if enrollment is not None:
                end_enrollment(enrollment, reason=ABANDONED, now=timezone.now())
    with transaction.atomic():
        stale = Device.objects.filter(status__in=Device.PROVISIONAL, registered_at__lt=before)
        # a record of long ago whose device is enrolling again at this moment is not stale
        stale = stale.exclude(pk__in=Enrollment.objects.standing().exclude(device=None).values("device"))
        # A record that never was enrolled says nothing; one that was goes back to what it is.
        faceless = Q(status=Device.Status.RETIRED, retired_reason=ABANDONED, udid="", enrollment_id="")
        never = Device.objects.filter(Q(pk__in=stale.filter(retired_at=None)) | faceless)
        nothing = never.exclude(enrollments__active_at__isnull=False)
        locked = list(nothing.select_for_update().values_list("pk", flat=True))
        Device.objects.filter(pk__in=locked).delete()
        stale.exclude(retired_at=None).update(status=Device.Status.RETIRED, modified_at=timezone.now())
