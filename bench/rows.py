"""The rows of devices that have been enrolled for a while, written in bulk and not by enrolling them."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, Final, TypeVar
from uuid import UUID

from bench.devices import BenchDevice

AT_ONCE: Final = 5000
TOPIC: Final = "com.apple.mgmt.External.11111111-2222-4333-8444-555555555555"
T = TypeVar("T")

_ANY_UUID: Final = {"postgresql": "gen_random_uuid()", "sqlite": "lower(hex(randomblob(16)))"}
_HISTORY: Final = """
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < %s)
INSERT INTO devices_finishedcommand
    (id, uuid, channel_id, payload_id, request_type, state, created_at, offered_at, done_at, body)
SELECT -(channel.id * 100000 + n), {uuid}, channel.id, %s, 'DeviceInformation', 3, %s, %s, %s, %s
FROM devices_channel AS channel JOIN devices_enrollment AS enrollment ON enrollment.id = channel.enrollment_id
CROSS JOIN number WHERE enrollment.device_key >= %s AND enrollment.device_key <= %s
"""


def chunks(items: Sequence[T]) -> Iterator[list[T]]:
    waiting = iter(items)
    while some := list(islice(waiting, AT_ONCE)):
        yield some


def enroll(devices: Sequence[BenchDevice]) -> None:
    """What the door needs of them, and no more."""
    from users.models import User

    user = User.objects.create(user_id="bench")
    for some in chunks(devices):
        _enroll(some, user)
    for count in sorted({device.history for device in devices} - {0}):
        archive([device for device in devices if device.history == count], count)


def _enroll(devices: Sequence[BenchDevice], user: Any) -> None:
    from devices.models import Channel, Enrollment, Identity

    enrollments = Enrollment.objects.bulk_create(
        Enrollment(user=user, kind="adde", state=Enrollment.State.ACTIVE, udid=d.udid, device_key=d.udid, topic=TOPIC)
        for d in devices
    )
    Identity.objects.bulk_create(identity(d, e) for d, e in zip(devices, enrollments, strict=True))
    Channel.objects.bulk_create(Channel(enrollment=enrollment) for enrollment in enrollments)


def identity(device: Any, enrollment: Any) -> Any:
    from django.utils import timezone

    from devices.models import Identity

    return Identity(
        enrollment=enrollment,
        sha256=device.sha256,
        serial_number=device.udid,
        der=device.certificate,
        not_before=timezone.now(),
        not_after=timezone.now() + timedelta(days=30),
        state=Identity.State.CURRENT,
    )


def archive(devices: Sequence[BenchDevice], count: int) -> None:
    """So many finished commands for each of these devices, whose numbers follow each other."""
    from django.db import connection
    from django.utils import timezone

    from devices.models import Payload
    from devices.services import archive as product

    now = timezone.now()
    product.make_room(now)
    (payload,) = Payload.objects.of([b"bench"])
    body = zlib.compress(b"<plist/>")
    with connection.cursor() as cursor:
        statement = _HISTORY.format(uuid=_ANY_UUID[connection.vendor])
        bounds = devices[0].udid, devices[-1].udid
        cursor.execute(statement, [count, payload.pk, now, now, now, body, *bounds])


def queue(commands: Mapping[str, Sequence[UUID]], payload: bytes) -> None:
    """These commands by device key, in the place of all that were queued or answered before."""
    from django.db import connection

    from devices.models import Channel, Command, Payload

    with connection.cursor() as cursor:
        for table in ("devices_command", "devices_result"):
            cursor.execute(f"TRUNCATE {table}" if connection.vendor == "postgresql" else f"DELETE FROM {table}")  # noqa: S608
    (said,) = Payload.objects.of([payload])
    channels = dict(Channel.objects.values_list("enrollment__device_key", "pk"))
    rounds = max(map(len, commands.values()), default=0)
    pairs = [
        (channels[udid], uuids[place])
        for place in range(rounds)
        for udid, uuids in commands.items()
        if place < len(uuids)
    ]
    for some in chunks(pairs):
        Command.objects.bulk_create(
            Command(uuid=uuid, channel_id=channel, request_type="DeviceInformation", payload=said)
            for channel, uuid in some
        )


def stored() -> int:
    from devices.models import Result

    return Result.objects.count()
