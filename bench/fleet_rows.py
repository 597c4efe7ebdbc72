"""The rows of a fleet: devices that have been enrolled for a while, and how far a broadcast to them has come."""

from collections.abc import Sequence
from typing import Any, Final

from bench import players
from bench.answers import TOLD
from bench.players import LightDevice
from bench.rows import TOPIC, chunks, identity

ALL_ACCESS_RIGHTS: Final = 8191


def enroll(count: int) -> None:
    from users.models import User

    user = User.objects.create(user_id="bench")
    for some in chunks([LightDevice(number) for number in range(1, count + 1)]):
        _enroll(some, user)


def _enroll(devices: Sequence[LightDevice], user: Any) -> None:
    from django.utils import timezone

    from devices.models import Channel, Device, Enrollment, Identity

    now = timezone.now()
    rows = Device.objects.bulk_create(
        Device(
            user=user,
            udid=device.udid,
            status=Device.Status.ACTIVE,
            mdm_managed=True,
            enrollment_type=Device.EnrollmentType.ADDE,
            platform=Device.Platform.IOS,
            os_version="17.0",
            inventory_at=now,
        )
        for device in devices
    )
    enrollments = Enrollment.objects.bulk_create(
        Enrollment(
            device=row,
            user=user,
            kind=Enrollment.Kind.ADDE,
            state=Enrollment.State.ACTIVE,
            topic=TOPIC,
            access_rights=ALL_ACCESS_RIGHTS,
            udid=row.udid,
            device_key=row.udid,
            family="iPhone",
        )
        for row in rows
    )
    Identity.objects.bulk_create(identity(d, e) for d, e in zip(devices, enrollments, strict=True))
    Channel.objects.bulk_create(
        Channel(enrollment=e, push_token=d.token, push_magic=d.magic, token_updated_at=now)
        for d, e in zip(devices, enrollments, strict=True)
    )


def check(count: int) -> None:
    """What devices told stands in their records."""
    from devices.models import Device

    if (known := Device.objects.filter(os_version=TOLD["OSVersion"]).count()) != count:
        raise SystemExit(f"{known} records are up to date, of {count}")


class Informing:
    """A DeviceInformation to everybody; done is whose answer has been read."""

    session = staticmethod(players.inform)
    check = staticmethod(check)

    def begin(self) -> None:
        from devices.services import broadcast

        self._row = broadcast.begin("DeviceInformation", selection={}, actor="bench")

    def look(self) -> tuple[int, str]:
        from devices.models import Result
        from devices.services import broadcast

        told = broadcast.progress(self._row)
        if told.failed or told.refused:
            raise SystemExit(f"{told.failed} failed, {told.refused} refused")
        waiting = Result.objects.filter(broadcast=self._row).count()  # with some that were answered in between
        read = max(told.acknowledged - waiting, 0)
        return read, f"queued {told.queued}, answered {told.acknowledged}, read {read}"
