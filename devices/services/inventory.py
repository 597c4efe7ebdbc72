"""From a device's answers to its record, and to the tables of what is on it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from devices.models import Answer, CommandRow, Device, Enrollment, Result
from devices.protocol.commands import REGISTRY, Kind
from devices.protocol.inventory import DEVICE_INFORMATION, MANAGEMENT_STATUS, SECURITY_INFO
from devices.protocol.queries import PERSONAL
from devices.protocol.reading import Reader, Reading, json_of
from devices.services import installed, secrets
from devices.services.record import Record
from epmm.models import Job

READERS: Final[dict[str, Reader]] = {
    name: command.reads for name, command in REGISTRY.items() if command.reads is not None
}
REQUEST_TYPES: Final = READERS.keys()

# Half of what a small digest costs is naming the columns of a wide table: only those that it may change are read.
_ALWAYS: Final = ("uuid", "details", "last_seen_at")
_CHANGED_BY: Final[dict[str, tuple[str, ...]]] = {
    "DeviceInformation": ("os_version_number", "inventory_at", *(column for column, _ in DEVICE_INFORMATION.values())),
    "SecurityInfo": tuple(column for column, _ in (SECURITY_INFO | MANAGEMENT_STATUS).values()),
}
# What has no column stands in the record itself for these, for every inventory asks them; for the others apart from it.
IN_THE_RECORD: Final = frozenset(
    {"DeviceInformation", "SecurityInfo", "InstalledApplicationList", "ProfileList", "CertificateList"}
)
LARGEST_KEPT: Final = 262_144  # bytes of an answer whose unknown keys are kept; real ones have a tenth
ENVELOPE: Final = frozenset(
    {
        "CommandUUID", "Status", "RequestType", "UDID", "EnrollmentID", "UserID", "EnrollmentUserID", "UserShortName",
        "UserLongName", "NotOnConsole",
    }
)  # fmt: skip


def store(result: Result, answer: Mapping[str, Any]) -> None:
    """Bring the record of the device up to this answer.  Call it within a transaction."""
    channel, request_type = result.channel, result.request_type
    columns = (*_ALWAYS, *_CHANGED_BY.get(request_type, ()))
    device = Device.objects.select_for_update().only(*columns).get(pk=channel.enrollment.device_id or 0)
    record = Record(device, channel.enrollment)
    reading = _read(result, answer)
    if record.receive(name_of(result), result.received_at):
        if channel.user_key:
            _keep_for_user(record, device, result, reading)
        else:
            _keep(record, device, result, reading)
        record.seen(result.received_at)
        record.save()
        secrets.keep(channel.enrollment, reading.secrets, result.received_at)


def _keep(record: Record, device: Device, result: Result, reading: Reading) -> None:
    request_type = result.request_type
    rest = record.take(reading)
    if request_type in IN_THE_RECORD:
        record.keep(request_type, rest)
    else:
        _answer(device, result, rest)
    for kind, items in reading.lists.items():
        installed.replace(device, kind, items)
    for item in reading.news:
        installed.put(device, item)
    if request_type == "DeviceInformation":
        _tell_first_inventory(device, result.channel.enrollment)
        record.set("inventory_at", result.received_at)


def _keep_for_user(record: Record, device: Device, result: Result, reading: Reading) -> None:
    """What a Mac answers for one of its users stands apart from what it says about itself, and has no table."""
    request_type, user_key = result.request_type, result.channel.user_key
    if request_type in IN_THE_RECORD:
        record.keep_for_user(user_key, request_type, reading.fields | reading.rest)
    else:
        _answer(device, result, reading.rest)


def _answer(device: Device, result: Result, content: dict[str, Any]) -> None:
    """The last one, unless it says nothing."""
    place: dict[str, Any] = {
        "device": device,
        "request_type": result.request_type,
        "user_key": result.channel.user_key,
    }
    if content:
        Answer.objects.update_or_create(**place, defaults={"content": content, "received_at": result.received_at})
    else:
        Answer.objects.filter(**place).delete()


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
    channel, request_type = result.channel, result.request_type
    reader = READERS[request_type]
    reading = reader.read(answer, Kind(channel.enrollment.kind))
    if len(result.body) > LARGEST_KEPT:
        return replace(reading, rest={})
    taken = ENVELOPE.union(reader.keys)
    if channel.user_key and request_type not in IN_THE_RECORD:
        taken = ENVELOPE  # what no table holds
    if channel.enrollment.kind == Enrollment.Kind.AAUE:
        taken |= PERSONAL
    beside = json_of({key: value for key, value in answer.items() if key not in taken})
    return replace(reading, rest=beside | reading.rest)
