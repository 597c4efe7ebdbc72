"""The device that an operator means, and enrollments by whose they are."""

from typing import Final
from uuid import UUID

from django.db.models import Q

from devices.models import Device, Enrollment

MOST_ENROLLMENTS: Final = 1_000


class DeviceNotFound(Exception):
    """None is meant, or more than one.  The argument is a sentence for the operator."""


def find_device(text: str) -> Device:
    """By UUID of the record, UDID or serial number.  A device that stands goes before its retired records."""
    meant = Q(udid=text) | Q(serial_number=text)
    if uuid := _uuid(text):  # a Mac's UDID is one as well
        meant |= Q(uuid=uuid)
    found = list(Device.objects.filter(meant).select_related("user").order_by("pk")) if text else []
    standing = [device for device in found if device.status != Device.Status.RETIRED]
    match standing or found:
        case []:
            raise DeviceNotFound(f"There is no device {text}.")
        case [device]:
            return device
        case several:
            uuids = ", ".join(str(device.uuid) for device in several)
            raise DeviceNotFound(f"{text} is more than one device; name one of {uuids}.")


def enrollments_of(text: str) -> list[int]:
    """Of the person with this user ID, and of the devices with this serial number.

    They are looked up first, each way by its index: from there one leads to whatever hangs on an enrollment.
    """
    ways = (Q(user__user_id=text), Q(device__serial_number=text))
    newest = (Enrollment.objects.filter(way).order_by("-pk").values_list("pk", flat=True) for way in ways)
    return [pk for found in newest for pk in found[:MOST_ENROLLMENTS]]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
