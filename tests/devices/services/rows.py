"""Rows that a story begins with."""

import logging
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from devices.models import Channel, Command, Device, Enrollment, FinishedCommand, Identity, Payload, Result
from devices.protocol.stamp import NOBODY
from epmm.wire import plist
from users.models import User

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
UDID = "00008140-000A1B2C3D4E5F60"
PROFILE = "test.epmm.enrollment"
_numbers = count(1)


def person(user_id: str = "anna") -> User:
    return User.objects.get_or_create(user_id=user_id)[0]


def enrolled(
    *,
    kind: Enrollment.Kind = Enrollment.Kind.ADDE,
    platform: Device.Platform = Device.Platform.IOS,
    state: Enrollment.State = Enrollment.State.ACTIVE,
    device: Device | None = None,
    access_rights: int | None = 8191,
    udid: str = UDID,
    **device_fields: Any,
) -> Enrollment:
    """An enrollment that stands, with its device, its device channel and its identity."""
    number = next(_numbers)
    byod = kind == Enrollment.Kind.AAUE
    keys = {"enrollment_id": f"enrollment-{number}"} if byod else {"udid": udid}
    device = device or Device.objects.create(
        **{"user": person(), "status": Device.Status.ACTIVE, "mdm_managed": True, **keys, **device_fields},
        enrollment_type=kind.value,
        platform=platform,
    )
    enrollment = Enrollment.objects.create(
        device=device,
        user=device.user,
        kind=kind,
        state=state,
        managed_apple_account="anna@corp.example",
        topic="com.apple.mgmt.External.test",
        server_url="https://mdm.example.test/mdm/connect",
        checkin_url="https://mdm.example.test/mdm/checkin",
        access_rights=None if byod else access_rights,
        profile_identifier=PROFILE,
        device_key=next(iter(keys.values())),
        **keys,
    )
    Channel.objects.create(enrollment=enrollment)
    Identity.objects.create(
        enrollment=enrollment,
        sha256=number.to_bytes(32, "big"),
        serial_number=str(number),
        der=b"",
        not_before=NOW,
        not_after=NOW,
        state=Identity.State.CURRENT,
    )
    return enrollment


def device_of(enrollment: Enrollment) -> Device:
    """As the database has it now."""
    assert enrollment.device_id is not None
    return Device.objects.get(pk=enrollment.device_id)


def channel_of(enrollment: Enrollment, user_key: str = "") -> Channel:
    return Channel.objects.select_related("enrollment__device").get_or_create(enrollment=enrollment, user_key=user_key)[
        0
    ]


def command(channel: Channel, request_type: str, **payload: Any) -> Command:
    """A command as the door leaves it after offering it."""
    rendered = plist.dump({"CommandUUID": str(NOBODY), "Command": {"RequestType": request_type, **payload}})
    (said,) = Payload.objects.of([rendered])
    state = Command.State.OFFERED
    return Command.objects.create(channel=channel, request_type=request_type, payload=said, state=state)


def answered(row: Command, status: Command.State = Command.State.ACKNOWLEDGED, **keys: Any) -> Result:
    """The device's answer to it, stored as the door stores one."""
    body = plist.dump({"CommandUUID": _text(row.uuid), "Status": status.name.title(), **keys})
    return answered_raw(row, body, status)


def answered_raw(row: Command, body: bytes, status: Command.State = Command.State.ACKNOWLEDGED) -> Result:
    result = Result.of(row, status, NOW, body)
    result.save(force_insert=True)
    Command.objects.filter(pk=row.pk).delete()
    return result


def _text(uuid: UUID) -> str:
    return str(uuid).upper()


def information(enrollment: Enrollment, **told: Any) -> Result:
    return answered(command(channel_of(enrollment), "DeviceInformation"), QueryResponses=told)


def warnings(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.WARNING]


def digested(result: Result) -> bool:
    assert Result.objects.filter(pk=result.pk).exists() != FinishedCommand.objects.filter(pk=result.pk).exists()
    return not Result.objects.filter(pk=result.pk).exists()
