"""From a device's answers to its record, and to the tables of what is installed on it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from devices.models import CommandRow, Device, Enrollment, Result
from devices.protocol.commands import Kind
from devices.protocol.inventory import (
    DEVICE_INFORMATION,
    MANAGEMENT_STATUS,
    SECURITY_INFO,
    Reading,
    json_of,
    read_device_information,
    read_security_info,
)
from devices.services.installed import store_applications, store_certificates, store_profiles
from devices.services.record import Record
from epmm.models import Job

RECORDS: Final[dict[str, Callable[[Mapping[str, Any], Kind], Reading]]] = {
    "DeviceInformation": read_device_information,
    "SecurityInfo": read_security_info,
}
LISTS: Final[dict[str, Callable[[Device, Mapping[str, Any]], None]]] = {
    "InstalledApplicationList": store_applications,
    "ProfileList": store_profiles,
    "CertificateList": store_certificates,
}
REQUEST_TYPES: Final = RECORDS.keys() | LISTS.keys()

# Half of what a small digest costs is naming the columns of a wide table: only those that it may change are read.
_ALWAYS: Final = ("uuid", "details", "last_seen_at")
_CHANGED_BY: Final[dict[str, tuple[str, ...]]] = {
    "DeviceInformation": ("os_version_number", "inventory_at", *(column for column, _ in DEVICE_INFORMATION.values())),
    "SecurityInfo": tuple(column for column, _ in (SECURITY_INFO | MANAGEMENT_STATUS).values()),
}
LARGEST_KEPT: Final = 262_144  # bytes of an answer whose unknown keys are kept; real ones have a tenth
ENVELOPE: Final = frozenset(
    {
        "CommandUUID", "Status", "RequestType", "UDID", "EnrollmentID", "UserID", "EnrollmentUserID", "UserShortName",
        "UserLongName", "NotOnConsole", "QueryResponses", "SecurityInfo", "InstalledApplicationList", "ProfileList",
        "CertificateList",
    }
)  # fmt: skip


def store(result: Result, answer: Mapping[str, Any]) -> None:
    """Bring the record of the device up to this answer.  Call it within a transaction."""
    channel, request_type = result.channel, result.request_type
    columns = (*_ALWAYS, *_CHANGED_BY.get(request_type, ()))
    device = Device.objects.select_for_update().only(*columns).get(pk=channel.enrollment.device_id or 0)
    record = Record(device, channel.enrollment)
    if not record.receive(name_of(result), result.received_at):
        return
    reading = _read(result, answer)
    if channel.user_key:
        record.keep_for_user(channel.user_key, request_type, reading.fields | reading.rest)
    else:
        record.keep(request_type, record.take(reading))
        if request_type in LISTS:
            LISTS[request_type](device, answer)
        elif request_type == "DeviceInformation":
            _tell_first_inventory(device, channel.enrollment)
            record.set("inventory_at", result.received_at)
    record.seen(result.received_at)
    record.save()


def _tell_first_inventory(device: Device, enrollment: Enrollment) -> None:
    """The enrollment's trace ends here; it belongs to another app, and the handler of this kind with it."""
    began = enrollment.active_at
    if device.inventory_at is None or (began is not None and device.inventory_at < began):
        Job.enqueue("enrollment.inventory_read", enrollment=enrollment.pk)


def note_unread(result: Result, why: str, now: datetime) -> None:
    """Record that an answer could not be read, and nothing of what it says."""
    enrollment = result.channel.enrollment
    device = Device.objects.select_for_update().only(*_ALWAYS).filter(pk=enrollment.device_id or 0).first()
    if device is not None:
        record = Record(device, enrollment)
        record.keep_unread(name_of(result), command=result, why=why, now=now)
        record.save()


def name_of(command: CommandRow) -> str:
    return f"{command.request_type} {command.channel.user_key}".rstrip()


def _read(result: Result, answer: Mapping[str, Any]) -> Reading:
    """The values of the record; with what stands beside them in the answer, unless it is suspiciously much."""
    request_type, kind = result.request_type, Kind(result.channel.enrollment.kind)
    reading = RECORDS[request_type](answer, kind) if request_type in RECORDS else Reading(fields={}, rest={})
    if len(result.body) > LARGEST_KEPT:
        return Reading(fields=reading.fields, rest={})
    beside = json_of({key: value for key, value in answer.items() if key not in ENVELOPE})
    return Reading(fields=reading.fields, rest=beside | reading.rest)
