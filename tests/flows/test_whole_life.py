"""From the typed account to the sign-out and back again."""

import pytest

from devices.models import Command, Device, Enrollment
from enrollment.models import Attempt
from enrollment.simulator.hardware import Family
from enrollment.simulator.messages import Channel
from tests.flows.house import FAMILIES, HOST, PASSWORD, House, enrollment_of, record_of, states
from users.models import User

DONE = Command.State.ACKNOWLEDGED
INVENTORY = ["DeviceInformation", "SecurityInfo", "InstalledApplicationList", "ProfileList", "CertificateList"]


@pytest.mark.parametrize("family", FAMILIES)
def test_enroll_read_check_out_and_enroll_again(house: House, anna: User, family: Family) -> None:
    device = house.device(family)

    device.enroll(password=PASSWORD)

    record = record_of(device)
    assert (record.status, record.mdm_managed, record.user) == (Device.Status.ACTIVE, True, anna)
    assert (record.enrollment_type, record.managed_apple_account) == ("adde", f"anna@{HOST}")
    assert (record.udid, record.serial_number) == (device.hardware.udid, device.hardware.serial)

    device.connect()
    if family.is_mac:
        assert device.connect(Channel.USER) == []
    house.work()
    record.refresh_from_db()
    for channel in device.membership.channels:
        for _ in range(2):  # what a device can, it says in its first report
            assert [item.request_type for item in device.connect(channel)] == ["DeclarativeManagement"]
            house.work()
        assert device.connect(channel) == []
    assert states(device) == [(name, DONE) for name in [*INVENTORY, *["DeclarativeManagement"] * 2]]
    assert record.inventory_at is not None
    assert (record.family, record.product_name) == (family, device.hardware.model.product)
    assert (record.os_version, record.device_name) == (device.hardware.model.os_version, device.hardware.name)
    assert record.is_supervised is family.is_mac
    assert record.applications.exists()
    assert record.certificates.exists()
    assert record.profiles.exists()

    first = enrollment_of(device)
    device.check_out()
    house.work()
    record.refresh_from_db()
    first.refresh_from_db()
    assert (record.status, record.mdm_managed) == (Device.Status.RETIRED, False)
    assert (record.retired_reason, first.state) == ("user removed management", Enrollment.State.ENDED)

    device.enroll(password=PASSWORD)
    device.connect()
    house.work()
    record.refresh_from_db()
    second = enrollment_of(device)
    assert (second != first, second.device, second.state) == (True, record, Enrollment.State.ACTIVE)
    assert (record.status, record.retired_at, record.retired_reason) == (Device.Status.ACTIVE, None, "")
    assert Device.objects.get() == record
    assert {attempt.state for attempt in Attempt.objects.all()} == {Attempt.State.ACTIVE}
