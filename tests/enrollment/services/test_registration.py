from datetime import timedelta

import pytest
from django.utils import timezone

from devices.models import Device
from enrollment.services import registration
from tests import factories
from tests.together import together
from users.models import RegistrationPin, User
from users.services import pins


@pytest.fixture
def alice() -> User:
    return factories.user("alice")


@pytest.mark.django_db
def test_a_pin_has_a_record_that_waits_for_its_device(alice: User) -> None:
    digits = registration.issue_pin(alice, "root")

    record = Device.objects.get()
    assert record.pin == pins.check(alice, digits, "sign-in")
    assert (record.user, record.status) == (alice, Device.Status.VERIFICATION_PENDING)


@pytest.mark.django_db
def test_the_next_pin_takes_over_the_record_of_the_same_person(alice: User) -> None:
    registration.issue_pin(factories.user("bob"), "root")
    registration.issue_pin(alice, "root")
    first = alice.devices.get()

    registration.issue_pin(alice, "root")

    assert alice.devices.get() == first
    assert alice.devices.get().pin == alice.registration_pins.standing().get()
    assert Device.objects.count() == 2


@pytest.mark.django_db
def test_a_device_of_the_person_is_left_alone(alice: User) -> None:
    active = alice.devices.create(status=Device.Status.ACTIVE)

    registration.issue_pin(alice, "root")

    active.refresh_from_db()
    assert active.status == Device.Status.ACTIVE
    assert alice.devices.count() == 2


@pytest.mark.django_db
def test_the_record_of_a_pin_that_ran_out_expires_and_serves_again(alice: User) -> None:
    registration.issue_pin(alice, "root")
    registration.expire_pins()
    assert alice.devices.get().status == Device.Status.VERIFICATION_PENDING
    RegistrationPin.objects.update(expires_at=timezone.now())
    before = timezone.now()

    registration.expire_pins()
    record = alice.devices.get()
    assert record.status == Device.Status.EXPIRED
    assert record.modified_at >= before

    registration.issue_pin(alice, "root")
    assert alice.devices.get().status == Device.Status.VERIFICATION_PENDING


@pytest.mark.django_db
def test_only_waiting_records_of_unused_pins_expire(alice: User) -> None:
    registration.issue_pin(alice, "root")
    RegistrationPin.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    pins.consume(alice.registration_pins.get(), "sign-in")
    bob = factories.user("bob")
    enrolled = bob.devices.create(status=Device.Status.ACTIVE, pin=factories.pin(bob, valid_for=timedelta(hours=-1)))
    without_pin = bob.devices.create(status=Device.Status.VERIFICATION_PENDING)

    registration.expire_pins()

    assert not Device.objects.filter(status=Device.Status.EXPIRED).exists()
    assert {enrolled, without_pin} == set(bob.devices.all())


@pytest.mark.django_db(transaction=True)
def test_pins_issued_at_once_leave_one_record(alice: User) -> None:
    together(*[lambda: registration.issue_pin(alice, "root")] * 3)

    assert alice.devices.get().pin == alice.registration_pins.standing().get()


@pytest.mark.django_db
def test_one_record_waits_for_one_device(alice: User) -> None:
    registration.await_device(alice, announced=registration.Announced(platform="macOS"))

    assert registration.take_up(alice, "iOS") is None
    taken = registration.take_up(alice, "macOS")
    assert taken is not None
    assert registration.take_up(alice, "macOS") is None
