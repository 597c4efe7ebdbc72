"""From a device's answers to its record, and to the tables of what is on it."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, Final

from devices.models import Answer, CommandRow, Device, Enrollment, Result
from devices.models.device import DESCRIPTION
from devices.protocol.commands import REGISTRY, Kind
from devices.protocol.inventory import COUNTRIES, DEVICE_INFORMATION, MANAGEMENT_STATUS, SECURITY_INFO
from devices.protocol.queries import PERSONAL
from devices.protocol.reading import Reader, Reading, json_of
from devices.services import installed, reported
from devices.services.record import Record, save
from epmm.models import Job
from epmm.wire import plist
from epmm.wire.limits import LARGEST_STORED

READERS: Final[dict[str, Reader]] = {
    name: command.reads for name, command in REGISTRY.items() if command.reads is not None
}
REQUEST_TYPES: Final = READERS.keys()

# Half of what a small digest costs is naming the columns of a wide table: only those that it may change are read.
_ALWAYS: Final = ("uuid", "details", "last_seen_at")
_CHANGED_BY: Final[dict[str, tuple[str, ...]]] = {
    "DeviceInformation": (
        "os_version_number",
        "inventory_at",
        "managed_apple_account",
        *DESCRIPTION,
        *COUNTRIES,
        *(column for column, _ in DEVICE_INFORMATION.values()),
    ),
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


def read(result: Result) -> Reading:
    """The values of the record; with what stands beside them in the answer, unless it is suspiciously much."""
    channel, request_type, body = result.channel, result.request_type, bytes(result.body)
    kind = Kind(channel.enrollment.kind)
    answer = plist.load_dict(body, max_bytes=LARGEST_STORED)
    reader = READERS[request_type]
    reading = reader.read(answer, kind)
    if len(body) > LARGEST_KEPT:
        return replace(reading, rest={})
    taken = _taken(request_type, kind, is_of_user=bool(channel.user_key))
    beside = {key: value for key, value in answer.items() if key not in taken}
    return replace(reading, rest=json_of(beside) | reading.rest) if beside else reading


@cache
def _taken(request_type: str, kind: Kind, *, is_of_user: bool) -> AbstractSet[str]:
    """The keys of an answer that do not stand beside its values."""
    no_table = is_of_user and request_type not in IN_THE_RECORD
    taken = ENVELOPE if no_table else ENVELOPE.union(READERS[request_type].keys)
    return taken | PERSONAL if kind is Kind.AAUE else taken


def store(received: Sequence[tuple[Result, Reading]]) -> None:
    """Bring the records of the devices up to these answers, in their order.  Call it within a transaction."""
    records = _records([result for result, _ in received])
    complete: list[Enrollment] = []
    for result, reading in received:
        enrollment = result.channel.enrollment
        record = records.get(enrollment.device_id or 0)
        if record is not None and _store(record, result, reading):
            complete.append(enrollment)
    save(records.values())
    # Their traces end here; those belong to another app, and the handler of this kind with them.
    if complete:
        Job.enqueue("enrollment.inventories_read", enrollments=[enrollment.pk for enrollment in complete])


def _records(results: Sequence[Result]) -> dict[int, Record]:
    """By device; locked in one order, as whoever locks several of them does."""
    columns = set(_ALWAYS).union(*(_CHANGED_BY.get(result.request_type, ()) for result in results))
    ids = {result.channel.enrollment.device_id or 0 for result in results}
    devices = Device.objects.select_for_update().only(*columns).filter(pk__in=ids).order_by("pk") if ids else ()
    return {device.pk: Record(device) for device in devices}


def _store(record: Record, result: Result, reading: Reading) -> bool:
    """Whether it is the first inventory of its enrollment."""
    about = " ".join(item.identifier for item in (*reading.news, *reading.gone))
    if not record.receive(name_of(result), result.received_at, about=about, is_part=result.is_partial):
        return False
    is_first = _is_first_inventory(record.device, result)
    if result.channel.user_key:
        _keep_for_user(record, result, reading)
    else:
        _keep(record, result, reading)
    record.seen(result.received_at)
    return is_first


def _keep(record: Record, result: Result, reading: Reading) -> None:
    request_type, device = result.request_type, record.device
    rest = record.take(reading, result.channel.enrollment)
    if request_type in IN_THE_RECORD:
        record.keep(request_type, rest, is_part=result.is_partial)
    else:
        _answer(device, result, rest)
    for kind, items in reading.lists.items():
        if reported.has_fed(record, kind, result.received_at):
            installed.add(device, kind, reported.standing(record, kind, items, result.received_at))
        else:
            installed.replace(device, kind, items, is_part=result.is_partial)
    for item in reading.news:
        installed.put(device, item, is_late=reported.has_fed(record, type(item), result.received_at))
    for item in reading.gone:
        installed.remove(device, item)
    if request_type == "DeviceInformation" and not result.is_partial:
        record.set("inventory_at", result.received_at)


def _keep_for_user(record: Record, result: Result, reading: Reading) -> None:
    """What a Mac answers for one of its users stands apart from what it says about itself, and has no table."""
    request_type, user_key = result.request_type, result.channel.user_key
    if request_type in IN_THE_RECORD:
        record.keep_for_user(user_key, request_type, reading.fields | reading.rest, is_part=result.is_partial)
    else:
        _answer(record.device, result, reading.rest)


def _answer(device: Device, result: Result, content: dict[str, Any]) -> None:
    """The last one, unless it says nothing; a part of one comes to what was answered before."""
    place: dict[str, Any] = {
        "device": device,
        "request_type": result.request_type,
        "user_key": result.channel.user_key,
    }
    if result.is_partial:
        known = Answer.objects.filter(**place).values_list("content", flat=True).first()
        content = _joined(known or {}, content)
    if content:
        Answer.objects.update_or_create(**place, defaults={"content": content, "received_at": result.received_at})
    else:
        Answer.objects.filter(**place).delete()


def _joined(known: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """Applications are filed under their identifiers: those stay of which nothing is told."""
    both = {key: (known[key], told[key]) for key in known.keys() & told.keys()}
    filed = {key: old | new for key, (old, new) in both.items() if isinstance(old, dict) and isinstance(new, dict)}
    return known | told | filed


def _is_first_inventory(device: Device, result: Result) -> bool:
    if result.request_type != "DeviceInformation" or result.channel.user_key or result.is_partial:
        return False
    began = result.channel.enrollment.active_at
    return device.inventory_at is None or (began is not None and device.inventory_at < began)


def note_unread(result: Result, why: str, now: datetime) -> None:
    """Record that an answer could not be read, and nothing of what it says."""
    enrollment = result.channel.enrollment
    device = Device.objects.select_for_update().only(*_ALWAYS).filter(pk=enrollment.device_id or 0).first()
    if device is not None:
        record = Record(device)
        record.keep_unread(name_of(result), command=result, why=why, now=now)
        save([record])


def name_of(command: CommandRow) -> str:
    return f"{command.request_type} {command.channel.user_key}".rstrip()
