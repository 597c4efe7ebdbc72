"""Check-in: the identity is renewed while the enrollment stands."""

from datetime import timedelta

import pytest
from django.utils import timezone

from devices.errors import DeviceRefused
from devices.models import Command, Device, Enrollment, Identity
from enrollment.services import cleanup
from tests.enrollment.phone import UDID, Phone, new_phone
from users.models import User

pytestmark = pytest.mark.django_db


def test_a_new_certificate_counts_from_its_token_update_on(phone: Phone) -> None:
    phone.enroll()
    old, new = phone.identity, phone.new_identity()
    with pytest.raises(DeviceRefused):
        phone.send("tokenupdate-adde-ios", identity=new)  # before its Authenticate
    phone.send("authenticate-adde-ios", identity=new)
    phone.send("tokenupdate-adde-ios", identity=old, UnlockToken=None)
    old.refresh_from_db()
    assert old.state == Identity.State.CURRENT

    phone.send("authenticate-adde-ios", identity=new)
    phone.send("tokenupdate-adde-ios", identity=new)
    states = dict(Identity.objects.values_list("pk", "state"))
    assert states == {old.pk: Identity.State.REPLACED, new.pk: Identity.State.CURRENT}
    with pytest.raises(DeviceRefused):
        phone.send("tokenupdate-adde-ios", identity=old)


def test_a_message_with_the_old_certificate_does_not_end_the_change_to_the_new(phone: Phone) -> None:
    """A TokenUpdate may come at any time; one that crosses the profile update must not lock the device out."""
    phone.enroll()
    queued = Command.objects.count()
    new = phone.new_identity()
    phone.send("authenticate-adde-ios", identity=new)
    phone.send("tokenupdate-adde-ios")
    assert Command.objects.count() == queued
    phone.send("tokenupdate-adde-ios", identity=new)

    new.refresh_from_db()
    assert new.state == Identity.State.CURRENT


def test_an_update_that_failed_does_not_stand_in_the_way_of_the_next(phone: Phone) -> None:
    phone.enroll()
    phone.send("authenticate-adde-ios", identity=phone.new_identity())
    phone.send("authenticate-adde-ios")  # the device went back to its certificate, then got another profile
    phone.send("tokenupdate-adde-ios")

    assert phone.reload().reauthenticated_at is None


def test_a_renewed_check_in_keeps_what_was_queued(phone: Phone) -> None:
    """It is the same enrollment: what was asked of it, and what it is about to answer, stays."""
    phone.enroll()
    before = set(Command.objects.values_list("pk", flat=True))
    phone.send("authenticate-adde-ios", identity=(new := phone.new_identity()))
    phone.send("tokenupdate-adde-ios", identity=new)

    assert set(Command.objects.values_list("pk", flat=True)) == before


@pytest.mark.parametrize("status", [Device.Status.LOST, Device.Status.WIPE_PENDING, Device.Status.RETIRE_PENDING])
def test_a_renewed_check_in_changes_nothing_that_the_administrator_said(phone: Phone, status: Device.Status) -> None:
    phone.enroll()
    Device.objects.update(status=status, owner=Device.Owner.EMPLOYEE)
    phone.send("authenticate-adde-ios", identity=(new := phone.new_identity()))
    phone.send("tokenupdate-adde-ios", identity=new)

    device = Device.objects.get()
    assert (device.status, device.owner) == (status, Device.Owner.EMPLOYEE)


def test_a_second_key_cannot_join_an_enrollment_before_it_is_active(phone: Phone) -> None:
    second = phone.new_identity()
    phone.send("authenticate-adde-ios")
    with pytest.raises(DeviceRefused):
        phone.send("authenticate-adde-ios", identity=second)


def test_an_enrollment_id_beside_the_udid_does_no_harm(phone: Phone) -> None:
    """Whether devices in device enrollment send one is an open question of the protocol reference."""
    phone.send("authenticate-adde-ios", EnrollmentID="E")
    phone.send("tokenupdate-adde-ios", EnrollmentID="E")

    assert phone.reload().device_key == UDID


def test_a_person_may_sign_out_while_the_certificate_is_being_renewed(phone: Phone) -> None:
    phone.enroll()
    new = phone.new_identity()
    phone.send("authenticate-adde-ios", identity=new)
    phone.send("checkout-adde", identity=new)

    assert Device.objects.get().status == Device.Status.RETIRED


def test_an_enrollment_begun_again_and_not_finished_leaves_the_record_as_it_was(phone: Phone, anna: User) -> None:
    phone.enroll()
    phone.send("checkout-adde")
    before = Device.objects.get()
    new_phone(anna, number=50).send("authenticate-adde-ios")
    Enrollment.objects.standing().update(created_at=timezone.now() - timedelta(days=2))
    cleanup.abandon_unfinished()

    after = Device.objects.get()
    assert (after.status, after.retired_at, after.retired_reason) == (
        Device.Status.RETIRED,
        before.retired_at,
        "user removed management",
    )
