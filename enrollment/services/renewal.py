"""A new certificate for a device that has one: its enrollment profile, sent again with a new challenge."""

from django.db import transaction
from django.utils.translation import gettext as _

from devices.models import Command, Device
from devices.services import send
from devices.services.queue import CommandRefused
from enrollment.services import profiles


@transaction.atomic
def renew(device: Device, *, actor: str) -> Command:
    """Queue it; raises CommandRefused.  The old certificate stays good until the device has come back with the new."""
    enrollment = device.enrollments.active().order_by("pk").last()
    if enrollment is None:
        raise CommandRefused(_("This device is not under management."))
    payload = {"Payload": profiles.renew(enrollment)}
    return send.send(send.prepare(device, "InstallProfile", payload=payload, is_ours=True), actor=actor)
