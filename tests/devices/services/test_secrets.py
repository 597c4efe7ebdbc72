"""What a device handed over that opens it is never lost: it has set it, and nobody else knows it."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device, Enrollment, FinishedCommand, Result
from devices.services import inventory, results, secrets
from tests.devices.services.rows import answered, channel_of, command, device_of, enrolled

pytestmark = pytest.mark.django_db
NAME = "EncryptedNewRecoveryKey"


def rotated(enrollment: Enrollment, value: bytes = b"sealed by the device") -> Result:
    row = command(channel_of(enrollment), "RotateFileVaultKey")
    return answered(row, RotateResult={NAME: value})


def revealed(enrollment: Enrollment, name: str = NAME) -> bytes:
    return secrets.reveal(device_of(enrollment), name, actor="anna")


def test_also_when_the_enrollment_ended_before_it_was_read() -> None:
    mac = enrolled(platform=Device.Platform.MACOS)
    rotated(mac)
    Enrollment.objects.update(state=Enrollment.State.ENDED)

    results.read_results()

    assert revealed(mac) == b"sealed by the device"
    assert FinishedCommand.objects.get().body is None


def test_also_when_a_later_answer_was_read_before_it() -> None:
    mac = enrolled(platform=Device.Platform.MACOS)
    earlier, later = rotated(mac, b"first"), rotated(mac, b"second")
    Result.objects.filter(pk=earlier.pk).update(received_at=later.received_at - timedelta(seconds=5))

    for result in (later, earlier):
        results.read_result(result.pk)

    assert revealed(mac) == b"second"


def test_also_when_the_one_before_it_came_while_the_clock_was_ahead() -> None:
    mac = enrolled(platform=Device.Platform.MACOS)
    for value, ahead in ((b"first", timedelta(hours=1)), (b"second", timedelta(0))):
        result = rotated(mac, value)
        Result.objects.filter(pk=result.pk).update(received_at=timezone.now() + ahead)
        results.read_results()

    assert revealed(mac) == b"second"


def test_also_when_the_answer_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    mac = enrolled(platform=Device.Platform.MACOS)
    body = bytes(rotated(mac).body)

    def breaks(*_: Any) -> None:
        raise ValueError

    with monkeypatch.context() as patched:
        patched.setattr(inventory, "read", breaks)
        results.read_results()

    assert revealed(mac, "RotateFileVaultKey answer, unread") == body
