"""How an enrollment ends: one way, whoever ended it."""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.utils.translation import gettext_noop

from devices import events
from devices.models import Command, ConfigurationDelivery, Device, Enrollment, Identity
from epmm.models import Job

REMOVED_BY_PERSON: Final = gettext_noop("user removed management")
RETIRED_BY_ADMINISTRATOR: Final = gettext_noop("retired by administrator")
WIPED_BY_ADMINISTRATOR: Final = gettext_noop("wiped by administrator")


@transaction.atomic
def end_enrollment(
    enrollment: Enrollment, *, reason: str, now: datetime, status: Device.Status = Device.Status.RETIRED
) -> None:
    """End it once; the first reason stays.  `status` is what becomes of the device if nothing else manages it.

    The hash of its bearer stays: it is how a late message is known for that of an ended enrollment.
    """
    standing = Enrollment.objects.standing().select_for_update()
    before = standing.filter(pk=enrollment.pk).values_list("state", flat=True).first()
    if before is None:
        return
    enrollment.state, enrollment.ended_at, enrollment.end_reason = Enrollment.State.ENDED, now, reason
    enrollment.save(update_fields=["state", "ended_at", "end_reason"])
    enrollment.identities.update(state=Identity.State.REVOKED)
    Command.objects.filter(channel__enrollment=enrollment).cancel()
    ConfigurationDelivery.objects.filter(channel__enrollment=enrollment).revoke()
    # the tokens belong to another app, and the handler of this kind with them
    Job.enqueue("enrollment.revoke_tokens", enrollment=enrollment.pk)
    device = enrollment.device
    if device is not None and _managed_only_by(enrollment, device, was_active=before == Enrollment.State.ACTIVE):
        was_retired = device.retired_at is not None  # a new enrollment of it was begun and not finished
        device.status = Device.Status.RETIRED if was_retired else status
        device.mdm_managed = False
        if not was_retired:
            device.retired_at, device.retired_reason = now, reason
        device.save(update_fields=["status", "mdm_managed", "retired_at", "retired_reason", "modified_at"])
        if not was_retired:
            events.device_retired(device)


def check_out_reason(device: Device | None) -> str:
    """A device that checks out while it is being retired does so on our word."""
    pending = device is not None and device.status == Device.Status.RETIRE_PENDING
    return RETIRED_BY_ADMINISTRATOR if pending else REMOVED_BY_PERSON


def _managed_only_by(ended: Enrollment, device: Device, *, was_active: bool) -> bool:
    """False for an enrollment that another has taken over, and for one that never came to manage the device."""
    others = device.enrollments.standing().exclude(pk=ended.pk)
    if was_active:
        return not others.active().exists()
    return device.status in Device.PROVISIONAL and not others.exists()
