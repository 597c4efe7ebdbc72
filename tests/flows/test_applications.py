"""An app is ordered for an iPhone, and the person decides: nobody asks what became of it but the server itself."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device, Enrollment
from devices.services import inventory_rounds, managed_applications, send
from devices.services.managed_applications import KIND, LOOKS
from enrollment.simulator.device import SimulatedDevice
from epmm.models import Job
from tests.flows.house import PASSWORD, House, record_of
from users.models import User

READER = "org.example.reader"


@pytest.fixture
def iphone(house: House, anna: User, monkeypatch: pytest.MonkeyPatch) -> SimulatedDevice:
    """Its person has not decided yet."""
    monkeypatch.setattr(managed_applications, "LATELY", timedelta())  # what is put off comes at once here
    device = house.enrolled()
    device.agrees_to_apps = None
    device.connect()
    house.work()  # now its version is known
    while device.connect():
        house.work()
    return device


def sent(device: SimulatedDevice, request_type: str, **payload: Any) -> None:
    send.send(send.prepare(record_of(device), request_type, payload=payload), actor="admin")


def told(house: House, device: SimulatedDevice) -> list[str]:
    """A session, read by the worker."""
    done = [each.request_type for each in device.connect()]
    house.work()
    return done


def looked_again(house: House, device: SimulatedDevice) -> list[str]:
    """The time that the server waits is over."""
    Job.objects.open().filter(kind=KIND).update(run_at=timezone.now())
    house.work()
    return told(house, device)


def apps(device: SimulatedDevice) -> dict[str, str]:
    return dict(record_of(device).managed_applications.values_list("identifier", "state"))


def test_the_person_agrees_after_a_while_and_the_app_goes_again(house: House, iphone: SimulatedDevice) -> None:
    sent(iphone, "InstallApplication", Identifier=READER)
    assert told(house, iphone) == ["InstallApplication"]
    assert apps(iphone) == {READER: "Prompting"}

    assert looked_again(house, iphone) == ["ManagedApplicationList"]
    assert apps(iphone) == {READER: "Prompting"}

    iphone.agrees_to_apps = True
    assert looked_again(house, iphone) == ["ManagedApplicationList"]
    assert apps(iphone) == {READER: "Managed"}
    assert looked_again(house, iphone) == []

    sent(iphone, "RemoveApplication", Identifier=READER)
    assert told(house, iphone) == ["RemoveApplication"]
    assert apps(iphone) == {}


def test_the_person_refuses(house: House, iphone: SimulatedDevice) -> None:
    sent(iphone, "InstallApplication", Identifier=READER)
    told(house, iphone)
    iphone.agrees_to_apps = False
    assert looked_again(house, iphone) == ["ManagedApplicationList"]
    assert apps(iphone) == {READER: "UserRejected"}

    sent(iphone, "InstallApplication", Identifier="org.example.calendar")
    told(house, iphone)
    iphone.agrees_to_apps = True
    looked_again(house, iphone)
    assert apps(iphone) == {READER: "UserRejected", "org.example.calendar": "Managed"}  # told once, and known since


def test_who_decides_the_next_day_is_heard_of_with_the_inventory(house: House, iphone: SimulatedDevice) -> None:
    sent(iphone, "InstallApplication", Identifier=READER)
    told(house, iphone)
    assert [looked_again(house, iphone) for _ in LOOKS] == [["ManagedApplicationList"]] * len(LOOKS)
    assert looked_again(house, iphone) == []
    iphone.agrees_to_apps = True

    yesterday = timezone.now() - timedelta(days=2)
    Enrollment.objects.update(inventory_asked_at=yesterday)
    Device.objects.update(inventory_at=yesterday)
    inventory_rounds.ask_where_due()
    assert told(house, iphone)[-1] == "ManagedApplicationList"
    assert apps(iphone) == {READER: "Managed"}


def test_a_new_enrollment_has_installed_nothing_yet(house: House, iphone: SimulatedDevice) -> None:
    sent(iphone, "InstallApplication", Identifier=READER)
    told(house, iphone)
    record = record_of(iphone)
    iphone.check_out()
    iphone.enroll(password=PASSWORD)

    assert record_of(iphone) == record
    assert apps(iphone) == {}
