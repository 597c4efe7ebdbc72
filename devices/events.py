"""What webhooks may be told of devices and their commands; devices and people by the names of the search."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from devices.models import CommandRow, Device, Identity
from devices.protocol.error_chain import first_error
from devices.services.hidden_fields import PERSONAL
from epmm import events
from epmm.events import Fact
from epmm.spaces import GLOBAL_SPACE
from epmm.webhook_message import moment
from epmm.wire import plist
from epmm.wire.errors import WireError
from epmm.wire.limits import LARGEST_STORED

ENROLLED: Final = events.declare("device.enrolled", _("Device enrolled"), personal=PERSONAL)
CHECKED_OUT: Final = events.declare("device.checked_out", _("Device checked out"), personal=PERSONAL)
RETIRED: Final = events.declare("device.retired", _("Device retired or wiped"), personal=PERSONAL)
FINISHED: Final = events.declare("command.finished", _("Command finished"), personal=PERSONAL)
EXPIRING: Final = events.declare("certificate.expiring", _("Certificate expires soon"), personal=PERSONAL)

_TOLD: Final = (
    "uuid", "space_id", "status", "owner", "enrollment_type", "managed_apple_account", "platform", "os_version",
    "product_name", "model", "model_name", "serial_number", "device_name", "registered_at", "retired_reason",
    "user__uuid", "user__user_id", "user__full_name", "user__first_name", "user__last_name", "user__email",
)  # fmt: skip


def device_enrolled(device: Device) -> None:
    events.emit(ENROLLED, lambda: [_of(device)])


def device_checked_out(device: Device) -> None:
    events.emit(CHECKED_OUT, lambda: [_of(device)])


def device_retired(device: Device) -> None:
    events.emit(RETIRED, lambda: [_of(device)])


def commands_finished(rows: Sequence[CommandRow], state: CommandRow.State | None = None) -> None:
    """However many they are, by two statements; `state` where the rows do not say it themselves."""
    if rows:
        events.emit(FINISHED, lambda: _finished(rows, state))


def certificates_expiring(identities: Sequence[Identity], now: datetime) -> None:
    """Of devices; each with `enrollment` and its device read along."""
    events.emit(EXPIRING, lambda: _expiring(identities, now))


def certificate_expiring(name: str, not_after: datetime, now: datetime) -> None:
    """One that the installation lives on, as `epmm_certificate_expiry_days` calls it."""
    told = {"device": None, "certificate": _certificate(name, "", not_after, now)}
    events.emit(EXPIRING, lambda: [Fact(subject=f"certificate:{name}", data=told, at=now)])


def told(device: Device) -> dict[str, Any]:
    user = device.user
    return {
        "common.uuid": str(device.uuid),
        "common.status": device.status,
        "common.platform": device.platform,
        "common.os_version": device.os_version,
        "common.model": device.product_name or device.model,
        "common.model_name": device.model_name,
        "common.SerialNumber": device.serial_number,
        "common.owner": device.owner,
        "common.registration_date": moment(device.registered_at),
        "common.retired_reason": device.retired_reason,
        "ios.DeviceName": device.device_name,
        "ios.enrollment_type": device.enrollment_type,
        "ios.managed_apple_id": device.managed_apple_account,
        "user.uuid": str(user.uuid),
        "user.user_id": user.user_id,
        "user.display_name": user.display_name,
        "user.email_address": user.email,
    }


def subject_of(device: Device) -> str:
    return str(device.uuid)


def _of(device: Device) -> Fact:
    return Fact(subject=subject_of(device), data={"device": told(device)}, space_id=device.space_id)


def _finished(rows: Sequence[CommandRow], state: CommandRow.State | None) -> Iterator[Fact]:
    found = _devices({row.channel_id for row in rows})
    for row in rows:
        device = found.get(row.channel_id)
        yield Fact(
            # what has lost its record keeps the order of its channel
            subject=subject_of(device) if device is not None else f"channel:{row.channel_id}",
            data={"device": told(device) if device is not None else None, "command": _command(row, state)},
            space_id=device.space_id if device is not None else GLOBAL_SPACE,
        )


def _devices(channels: set[int]) -> dict[int, Device]:
    """By channel, of however many enrollments."""
    path = "enrollments__channels"
    rows = Device.objects.filter(**{f"{path}__in": channels}).annotate(channel=F(path))
    return {row.channel: row for row in rows.select_related("user").only(*_TOLD)}  # type: ignore[attr-defined] # annotated


def _command(row: CommandRow, state: CommandRow.State | None) -> dict[str, Any]:
    state = CommandRow.State(row.state) if state is None else state
    error = _error(row) if state in (CommandRow.State.ERROR, CommandRow.State.FORMAT_ERROR) else None
    return {
        "uuid": str(row.uuid).upper(),
        "request_type": row.request_type,
        "state": state.name,
        "created_at": moment(row.created_at),
        "done_at": moment(row.done_at or timezone.now()),
        "error": error,
    }


def _error(row: CommandRow) -> dict[str, Any] | None:
    try:
        error = first_error(plist.load_dict(bytes(getattr(row, "body", None) or b""), max_bytes=LARGEST_STORED))
    except WireError:
        return None
    return {"code": error.code, "domain": error.domain, "text": error.text}


def _expiring(identities: Iterable[Identity], now: datetime) -> Iterator[Fact]:
    for identity in identities:
        device = identity.enrollment.device
        yield Fact(
            subject=subject_of(device) if device is not None else f"enrollment:{identity.enrollment_id}",
            data={
                "device": told(device) if device is not None else None,
                "certificate": _certificate("device", identity.serial_number, identity.not_after, now),
            },
            space_id=device.space_id if device is not None else GLOBAL_SPACE,
            at=now,
        )


def _certificate(name: str, serial_number: str, not_after: datetime, now: datetime) -> dict[str, Any]:
    return {
        "name": name,
        "serial_number": serial_number,
        "not_after": moment(not_after),
        "days_left": (not_after - now).days,
    }
