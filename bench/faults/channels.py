"""Who is played: devices, and the user of every tenth one, a Mac, who has a queue and a push token of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import NAMESPACE_OID, uuid5

from bench import fleet_rows
from bench.players import LightDevice
from bench.rows import chunks

EVERY: Final = 10
_FIRST_USER: Final = 1 << 32  # among tokens


@dataclass(frozen=True, slots=True)
class Who:
    """One channel."""

    device: LightDevice
    user: str = ""  # as macOS names them; empty: the device itself

    def __str__(self) -> str:
        return f"{self.device.udid} {self.user}".strip()

    @property
    def sender(self) -> dict[str, str]:
        return {"UDID": self.device.udid} | ({"UserID": self.user, "UserShortName": "anna"} if self.user else {})

    @property
    def place(self) -> int:
        return self.device.number + (_FIRST_USER if self.user else 0)

    @property
    def token(self) -> bytes:
        return LightDevice(self.place).token


def all_of(devices: int) -> list[Who]:
    numbers = range(1, devices + 1)
    users = [Who(LightDevice(number), _user_of(number)) for number in numbers if number % EVERY == 0]
    return [Who(LightDevice(number)) for number in numbers] + users


def enroll(devices: int) -> None:
    from devices.models import Device, Enrollment

    fleet_rows.enroll(devices)
    users = [who for who in all_of(devices) if who.user]
    macs = Device.objects.filter(udid__in=[who.device.udid for who in users])
    Enrollment.objects.filter(device__in=macs).update(family="Mac")
    for some in chunks(users):
        _add_users(some)
    macs.update(platform=Device.Platform.MACOS)


def _add_users(users: Sequence[Who]) -> None:
    from django.utils import timezone

    from devices.models import Channel, Enrollment

    enrollments = {each.udid: each for each in Enrollment.objects.filter(family="Mac")}
    Channel.objects.bulk_create(
        Channel(
            enrollment=enrollments[who.device.udid],
            user_key=who.user,
            user_short_name="anna",
            push_token=who.token,
            push_magic=who.device.magic,
            token_updated_at=timezone.now(),
        )
        for who in users
    )


def _user_of(number: int) -> str:
    return str(uuid5(NAMESPACE_OID, f"user of bench device {number}")).upper()
