import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from devices.models import Command, Device, Enrollment
from epmm.models import AuditEntry
from tests.devices.services.rows import PROFILE, UDID, channel_of, command, device_of, enrolled

pytestmark = pytest.mark.django_db


def test_a_device_is_told_to_leave(capsys: pytest.CaptureFixture[str]) -> None:
    enrollment = enrolled()

    call_command("retire", UDID)

    (queued,) = Command.objects.all()
    assert queued.request_type == "RemoveProfile"
    assert PROFILE.encode() in queued.rendered
    assert device_of(enrollment).status == Device.Status.RETIRE_PENDING
    assert "pending" in capsys.readouterr().out


def test_a_device_that_will_not_come_back_is_retired_at_once() -> None:
    enrollment = enrolled()
    command(channel_of(enrollment), "ProfileList")

    call_command("retire", UDID, "--now")

    assert Enrollment.objects.get().state == Enrollment.State.ENDED
    assert (device_of(enrollment).status, device_of(enrollment).mdm_managed) == (Device.Status.RETIRED, False)
    assert not Command.objects.exists()
    assert AuditEntry.objects.get().action == "device.retired"


@pytest.mark.parametrize("options", [[], ["--now"]])
def test_what_is_retired_or_unknown_is_an_error(options: list[str]) -> None:
    enrolled(state=Enrollment.State.ENDED, status=Device.Status.RETIRED)

    for name in (UDID, "unknown"):
        with pytest.raises(CommandError):
            call_command("retire", name, *options)
