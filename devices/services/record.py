"""The records of devices while answers are read into them."""

import logging
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils import timezone

from devices.models import CommandRow, Device, Enrollment, os_version_number
from devices.models.device import DESCRIBED_BY, OWN_DESCRIPTION
from devices.protocol.reading import Reading
from devices.services import configuration_plan
from epmm.given import update_each

logger = logging.getLogger(__name__)
PART: Final = "in part"  # when the last answer to a question for less came
JUDGED_BY: Final = {"platform", "os_version", "is_supervised"}
CLOCKS_APART: Final = timedelta(minutes=1)  # the database's and ours, at most


class Record:
    """One device's row, which is locked; what changes in it is written by `save`."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self._details: dict[str, Any] = dict(device.details)
        self._changed: set[str] = set()

    def set(self, column: str, value: Any) -> None:
        if getattr(self.device, column) != value:
            setattr(self.device, column, value)
            self._changed.add(column)

    def receive(self, name: str, at: datetime, *, about: str = "", is_part: bool = False) -> bool:
        """False for an answer older than one already read: two workers may read a device's answers at once.

        `about`: what it speaks of alone; it is compared with no answer about anything else.  A part comes too late
        after the whole, too, but never keeps the whole out.
        """
        key = f"{name} {PART if is_part else about}".rstrip()
        if self.has_newer(key, at) or (is_part and self.has_newer(name, at)):
            return False
        self._put("received", key, _text(at))
        self._details["unread"] = {key: why for key, why in self._details.get("unread", {}).items() if key != name}
        return True

    def has_newer(self, name: str, at: datetime) -> bool:
        """Whether an answer of that name was read already that came later.

        One that lies ahead came while the clock did: nothing of what follows would be read until it is that late.
        """
        known: str = self._details.get("received", {}).get(name, "")
        return _text(at) < known <= _text(timezone.now() + CLOCKS_APART)

    def take(self, reading: Reading, enrollment: Enrollment) -> dict[str, Any]:
        """Set the columns; return what has none.

        Who a device is, its enrollment says.  An answer that says otherwise is worth knowing, and changes nothing.
        """
        device, fields, rest = self.device, dict(reading.fields), dict(reading.rest)
        if rest.get("UDID") == enrollment.udid:
            del rest["UDID"]
        elif "UDID" in rest:
            self._contradicted("UDID")
        if (serial_number := fields.pop("serial_number", "")) and device.serial_number != serial_number:
            if device.serial_number:
                rest["SerialNumber"] = serial_number
                self._contradicted("SerialNumber")
            else:
                self.set("serial_number", serial_number)
        if fields.get("is_user_enrollment") is (enrollment.kind == Enrollment.Kind.ADDE):
            self._contradicted("IsUserEnrollment")
        if "os_version" in fields:
            self.set("os_version_number", os_version_number(str(fields["os_version"])))
        changed = {column: value for column, value in fields.items() if getattr(device, column) != value}
        vars(device).update(changed)
        self._changed.update(changed)
        return rest

    def keep(self, request_type: str, rest: Mapping[str, Any], *, is_part: bool = False) -> None:
        known = self._details.get(request_type, {}) if is_part else {}
        self._details[request_type] = {**known, **rest}

    def keep_for_user(
        self, user_key: str, request_type: str, values: Mapping[str, Any], *, is_part: bool = False
    ) -> None:
        """What a Mac answers for one of its users stands apart from what it says about itself."""
        of_user = self._details.get("users", {}).get(user_key, {})
        known = of_user.get(request_type, {}) if is_part else {}
        self._put("users", user_key, of_user | {request_type: {**known, **values}})

    def keep_unread(self, name: str, *, command: CommandRow, why: str, now: datetime) -> None:
        self._put("unread", name, {"command": str(command.uuid), "why": why, "at": now.isoformat()})

    def seen(self, at: datetime) -> None:
        if self.device.last_seen_at is None or self.device.last_seen_at < at:
            self.set("last_seen_at", at)

    def complete(self) -> AbstractSet[str]:
        """Put the details together; the columns that have changed."""
        self.set("details", {key: value for key, value in self._details.items() if value})
        if self._changed & DESCRIBED_BY:
            self.device.describe()
            self._changed |= OWN_DESCRIPTION
        return self._changed

    def _put(self, section: str, key: str, value: Any) -> None:
        self._details[section] = self._details.get(section, {}) | {key: value}

    def _contradicted(self, key: str) -> None:
        logger.warning(
            "a device's answer contradicts its enrollment", extra={"device": str(self.device.uuid), "key": key}
        )


def _text(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def save(records: Collection[Record]) -> None:
    """Write what has changed: one statement for all of them, and those columns that changed in any.

    What such a device was refused before anything was queued, because of what it was, is judged again.
    """
    changed = [(record.device, columns) for record in records if (columns := record.complete())]
    if changed:
        now = timezone.now()
        for device, _ in changed:
            device.modified_at = now
        columns = {"modified_at"}.union(*(columns for _, columns in changed))
        update_each([device for device, _ in changed], sorted(columns))
        if others := [device.pk for device, columns in changed if columns & JUDGED_BY]:
            configuration_plan.judge_again(others)
