"""What happened to a device, in words for the person who has it.

Only what is listed here is told: no notes, no comments, no names of administrators.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from devices.models import Device
from devices.services import retire
from epmm.models import AuditEntry
from users.models import User

MOST: Final = 30
YOU, ORGANIZATION, DEVICE = _("by you"), _("by your organization"), ""
COMMANDS: Final[dict[str, str | Promise]] = {
    "DeviceLock": _("Told to lock"),
    "ClearPasscode": _("Told to remove its passcode"),
    "EraseDevice": _("Told to erase everything"),
    "RestartDevice": _("Told to restart"),
    "ShutDownDevice": _("Told to shut down"),
}
RECORDS: Final[dict[str, str | Promise]] = {
    "device.lost": _("Marked as lost"),
    "device.found": _("Marked as found"),
    "device.owner_changed": _("Owner changed"),
    "device.retired": _("Retired"),
    "device.user_changed": _("Assigned to you"),
}
ENDS: Final[dict[str, str | Promise]] = {
    retire.REMOVED_BY_PERSON: _("Management was removed on the device"),
    retire.RETIRED_BY_ADMINISTRATOR: _("Retired: the device left management"),
    retire.WIPED_BY_ADMINISTRATOR: _("Erased"),
}
COMMAND, GIVEN = "command.queued", "device.user_changed"


@dataclass(frozen=True, slots=True)
class Event:
    at: datetime
    said: str | Promise
    who: str | Promise = DEVICE


def of(device: Device, person: User) -> list[Event]:
    """The newest first; what went before it was theirs is somebody else's."""
    entries = list(_entries(device))
    given = (entry.at for entry in entries if entry.action == GIVEN)
    since = next(given, None)
    told = chain(_audited(entries, person), _enrolled(device, person))
    return sorted((event for event in told if since is None or event.at >= since), key=_when, reverse=True)[:MOST]


def _entries(device: Device) -> Iterator[AuditEntry]:
    about = AuditEntry.objects.filter(subject=str(device.uuid), subject_type="device", action__in=[COMMAND, *RECORDS])
    successful = about.filter(status=AuditEntry.Status.SUCCESS)
    yield from successful.only("at", "action", "actor", "details").order_by("-at", "-id")[: MOST * 3]


def _audited(entries: list[AuditEntry], person: User) -> Iterator[Event]:
    for entry in entries:
        said = _command(entry) if entry.action == COMMAND else RECORDS[entry.action]
        if said:
            yield Event(entry.at, said, YOU if entry.actor == person.user_id else ORGANIZATION)


def _command(entry: AuditEntry) -> str | Promise:
    if entry.details.get("ends_management") and entry.details.get("request_type") == "RemoveProfile":
        return _("Told to leave management")
    return COMMANDS.get(str(entry.details.get("request_type")), "")


def _enrolled(device: Device, person: User) -> Iterator[Event]:
    mine = device.enrollments.filter(user=person).order_by("-pk")[:MOST]
    for active_at, ended_at, reason in mine.values_list("active_at", "ended_at", "end_reason"):
        if active_at is not None:
            yield Event(active_at, _("Enrolled"), YOU)
        if active_at is not None and ended_at is not None:
            yield Event(ended_at, ENDS.get(reason, _("Management ended")))


def _when(event: Event) -> datetime:
    return event.at
