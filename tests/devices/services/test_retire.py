import pytest

from devices.models import Command, Device, Enrollment, FinishedCommand, Identity
from devices.services import retire
from epmm.models import Job
from tests.devices.services.rows import NOW, channel_of, command, device_of, enrolled

pytestmark = pytest.mark.django_db


def test_the_end_of_an_enrollment_leaves_nothing_standing() -> None:
    enrollment = enrolled()
    waiting = command(channel_of(enrollment), "ProfileList")
    waiting_for_a_user = command(channel_of(enrollment, "user"), "ProfileList")

    retire.end_enrollment(enrollment, reason=retire.REMOVED_BY_PERSON, now=NOW)

    stored = Enrollment.objects.get(pk=enrollment.pk)
    assert (stored.state, stored.ended_at, stored.end_reason) == (3, NOW, "user removed management")
    assert enrollment.state == Enrollment.State.ENDED
    assert enrollment.identities.get().state == Identity.State.REVOKED
    assert not Command.objects.exists()
    assert {row.pk for row in FinishedCommand.objects.all()} == {waiting.pk, waiting_for_a_user.pk}
    assert Job.objects.get(kind="enrollment.revoke_tokens").arguments == {"enrollment": enrollment.pk}
    device = device_of(enrollment)
    assert (device.status, device.mdm_managed) == (Device.Status.RETIRED, False)
    assert (device.retired_at, device.retired_reason) == (NOW, "user removed management")


def test_the_first_reason_stays() -> None:
    enrollment = enrolled()
    seen_elsewhere = Enrollment.objects.get(pk=enrollment.pk)
    retire.end_enrollment(enrollment, reason="first", now=NOW)

    retire.end_enrollment(seen_elsewhere, reason="second", now=NOW, status=Device.Status.WIPED)

    assert Enrollment.objects.get(pk=enrollment.pk).end_reason == "first"
    assert device_of(enrollment).status == Device.Status.RETIRED
    assert Job.objects.filter(kind="enrollment.revoke_tokens").count() == 1


def test_an_enrollment_that_was_taken_over_leaves_the_device_managed() -> None:
    old = enrolled()
    enrolled(device=old.device)

    retire.end_enrollment(old, reason="replaced", now=NOW)

    device = device_of(old)
    assert (device.status, device.mdm_managed, device.retired_reason) == (Device.Status.ACTIVE, True, "")


@pytest.mark.parametrize(
    ("status", "after"),
    [
        (Device.Status.IENROLL_COMPLETE, Device.Status.RETIRED),
        (Device.Status.WIPED, Device.Status.WIPED),
        (Device.Status.RETIRED, Device.Status.RETIRED),
    ],
)
def test_an_attempt_that_never_became_active_retires_only_a_record_of_its_own(
    status: Device.Status, after: Device.Status
) -> None:
    attempt = enrolled(state=Enrollment.State.AUTHENTICATED, status=status, mdm_managed=False)

    retire.end_enrollment(attempt, reason="abandoned", now=NOW)

    device = device_of(attempt)
    assert device.status == after
    assert device.retired_reason == ("abandoned" if status == Device.Status.IENROLL_COMPLETE else "")


def test_an_attempt_beside_another_retires_nothing() -> None:
    attempt = enrolled(state=Enrollment.State.AUTHENTICATED, status=Device.Status.IENROLL_COMPLETE, mdm_managed=False)
    enrolled(device=attempt.device, state=Enrollment.State.PENDING)

    retire.end_enrollment(attempt, reason="abandoned", now=NOW)

    assert device_of(attempt).status == Device.Status.IENROLL_COMPLETE


def test_an_enrollment_that_never_had_a_device_ends_too() -> None:
    enrollment = enrolled(state=Enrollment.State.PENDING)
    Enrollment.objects.update(device=None)

    retire.end_enrollment(Enrollment.objects.get(pk=enrollment.pk), reason="abandoned", now=NOW)

    assert Enrollment.objects.get().state == Enrollment.State.ENDED


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (Device.Status.ACTIVE, "user removed management"),
        (Device.Status.RETIRE_PENDING, "retired by administrator"),
    ],
)
def test_a_check_out_is_put_down_to_whoever_asked_for_it(status: Device.Status, reason: str) -> None:
    assert retire.check_out_reason(Device(status=status)) == reason
    assert retire.check_out_reason(None) == "user removed management"
