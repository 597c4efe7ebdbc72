"""A person's own device (BYOD): the same way in, without the device's names."""

import pytest

from devices.models import Command, Device, Enrollment
from enrollment.simulator.hardware import Family
from enrollment.simulator.messages import Channel
from enrollment.simulator.refusal import TurnedAway
from tests.flows.house import FAMILIES, PASSWORD, House, enrollment_of, person, record_of, states, switch
from tests.flows.rows import changed, rows
from users.models import Role, User


@pytest.fixture
def carl(house: House) -> User:
    switch("ios.mdm.account_driven_device_enrollment", "off")
    switch("ios.mdm.account_driven_user_enrollment", "on")
    return person("carl", roles=(Role.AAUE,))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_phone_is_new_each_time(house: House, carl: User, family: Family) -> None:
    device = house.device(family, "carl@mdm.example.test")

    device.enroll(password=PASSWORD)
    device.connect()
    if family.is_mac:
        assert device.connect(Channel.USER) == []
    house.work()

    record = record_of(device)
    assert (record.status, record.enrollment_type, record.owner) == (Device.Status.ACTIVE, "aaue", "EMPLOYEE")
    assert (record.udid, record.serial_number, record.imei) == ("", "", "")
    assert record.enrollment_id == device.membership.enrollment_id
    assert record.os_version == device.hardware.model.os_version
    assert {state for name, state in states(device) if name != "DeclarativeManagement"} == {Command.State.ACKNOWLEDGED}

    device.check_out()
    record.refresh_from_db()
    assert record.status == Device.Status.RETIRED

    device.enroll(password=PASSWORD)
    assert record_of(device) != record
    assert (Device.objects.count(), Enrollment.objects.active().count()) == (2, 1)


def test_a_device_that_names_itself_by_udid_is_refused(house: House, carl: User) -> None:
    device = house.device(identifier="carl@mdm.example.test")
    device.enroll(password=PASSWORD)
    before = rows()

    for changes in ({"EnrollmentID": None, "UDID": device.hardware.udid}, {"UDID": device.hardware.udid}):
        assert device.check_in("TokenUpdate", **changes).status_code == 403

    assert changed(before, rows()) <= {"Attempt"}


def test_another_phones_enrollment_id_is_refused(house: House, carl: User) -> None:
    device, other = (house.device(identifier="carl@mdm.example.test") for _ in range(2))
    device.enroll(password=PASSWORD)
    other.enroll(password=PASSWORD)
    before = rows()

    for name in ("Authenticate", "TokenUpdate", "CheckOut"):
        response = other.check_in(name, EnrollmentID=device.membership.enrollment_id)
        assert (response.status_code, response.content) == (403, b"")

    assert changed(before, rows()) <= {"Attempt"}
    assert enrollment_of(device).state == Enrollment.State.ACTIVE


def test_each_kind_needs_its_own_role(house: House, carl: User) -> None:
    """Both kinds on: discovery leads each person to theirs, and the one without a role no further."""
    switch("ios.mdm.account_driven_device_enrollment", "on")
    person("anna")
    person("dora", roles=())

    modes = {}
    for name in ("anna", "carl"):
        device = house.device(identifier=f"{name}@mdm.example.test")
        device.enroll(password=PASSWORD)
        modes[name] = device.membership.profile.mode
    assert modes == {"anna": "ADDE", "carl": "BYOD"}

    device = house.device(identifier="dora@mdm.example.test")
    device.discover()
    device.request_challenge()
    with pytest.raises(TurnedAway) as refusal:
        device.sign_in(password=PASSWORD)
    assert (refusal.value.status, refusal.value.code) == (403, "E-303")
