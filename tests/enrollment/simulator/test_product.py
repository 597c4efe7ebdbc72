"""The simulator and the product meet: two readings of the protocol agree, also about what must be refused."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from devices.models import Device, Enrollment, Identity
from enrollment import tasks
from enrollment.services import renewal
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.identity import forge
from enrollment.simulator.messages import Channel
from enrollment.simulator.refusal import NoAnswer, TurnedAway
from tests.enrollment.conftest import PASSWORD, Switch, make_person
from tests.fake_device import Line, fake_device, line
from users.models import Role

__all__ = ["line"]
ANNA = "anna@mdm.example.test"


@pytest.fixture
def people(line: Line, adde: None) -> None:
    make_person()
    make_person("bert")
    make_person("carl", roles=(Role.AAUE,))


@pytest.fixture
def device(line: Line, people: None) -> SimulatedDevice:
    return fake_device(line, ANNA)


@pytest.mark.parametrize("family", list(Family))
def test_device_of_each_family_enrolls(line: Line, people: None, family: Family) -> None:
    device = fake_device(line, ANNA, family)

    device.enroll(password=PASSWORD)
    executed = [item for channel in device.membership.channels for item in device.connect(channel)]

    assert {item.status for item in executed} == {"Acknowledged"}
    assert len(executed) == 5
    row = Device.objects.get()
    assert (row.udid, row.serial_number) == (device.hardware.udid, device.hardware.serial)
    assert Enrollment.objects.get().state == Enrollment.State.ACTIVE


def test_every_answer_may_get_lost_once(line: Line, device: SimulatedDevice) -> None:
    steps: list[Callable[[], object]] = [
        device.discover,
        device.request_challenge,
        device.fetch_profile,
        device.get_identity,
        device.authenticate,
        device.token_update,
        device.connect,
    ]
    for step in steps:
        if step == device.fetch_profile:
            device.sign_in(password=PASSWORD)
        line.lose_answers()
        with pytest.raises(NoAnswer):
            step()
        step()

    assert Enrollment.objects.filter(state=Enrollment.State.ACTIVE).count() == 1
    assert device.connect() == []


@pytest.mark.parametrize(
    ("identifier", "password", "code"), [(ANNA, "wrong", "E-201"), ("carl@mdm.example.test", PASSWORD, "E-303")]
)
def test_person_is_told_why_not(line: Line, people: None, identifier: str, password: str, code: str) -> None:
    with pytest.raises(TurnedAway) as refusal:
        fake_device(line, identifier).enroll(password=password)

    assert refusal.value.code == code


def test_identity_of_another_is_worth_nothing(line: Line, device: SimulatedDevice) -> None:
    device.enroll(password=PASSWORD)
    other = fake_device(line, "bert@mdm.example.test")
    other.enroll(password=PASSWORD)
    assert device.identity is not None
    genuine = device.identity

    for identity in (other.identity, forge(genuine)):
        device.identity = identity
        assert device.check_in("TokenUpdate").status_code == 403
        assert device.send_status("Idle").status_code == 403

    device.identity = genuine
    assert device.check_in("TokenUpdate").status_code == 200


def test_person_leaves_and_comes_back(device: SimulatedDevice) -> None:
    device.enroll(password=PASSWORD)
    device.check_out()
    device.enroll(password=PASSWORD)

    assert sorted(Enrollment.objects.values_list("state", flat=True)) == sorted(
        [Enrollment.State.ENDED, Enrollment.State.ACTIVE]
    )


@pytest.mark.parametrize("family", [Family.IPHONE, Family.MAC])
def test_user_enrollment_is_known_by_its_own_name(line: Line, people: None, switch: Switch, family: Family) -> None:
    switch("ios.mdm.account_driven_user_enrollment", "on")
    device = fake_device(line, "carl@mdm.example.test", family)

    device.enroll(password=PASSWORD)
    executed = device.connect()

    assert device.membership.is_user_enrollment
    assert {item.status for item in executed} == {"Acknowledged"}
    row = Device.objects.get()
    assert (row.udid, row.serial_number) == ("", "")


def test_renewed_profile_brings_a_new_identity(device: SimulatedDevice) -> None:
    device.enroll(password=PASSWORD)
    device.connect()
    old = device.identity
    renewal.renew(Device.objects.get(), actor="test")

    executed, *_ = device.connect()

    assert (executed.request_type, executed.status) == ("InstallProfile", "Acknowledged")
    assert device.identity != old
    assert device.check_in("TokenUpdate").status_code == 200
    device.identity = old
    assert device.check_in("TokenUpdate").status_code == 403


@pytest.mark.parametrize("family", [Family.IPHONE, Family.MAC])
def test_certificate_that_ends_soon_is_renewed_by_itself(line: Line, people: None, family: Family) -> None:
    device = fake_device(line, ANNA, family)
    device.enroll(password=PASSWORD)
    device.connect()
    old = device.identity
    Identity.objects.update(not_after=timezone.now() + timedelta(days=80))
    tasks.renew_identities()

    executed, *_ = device.connect()
    tasks.renew_identities()

    assert (executed.request_type, executed.status) == ("InstallProfile", "Acknowledged")
    assert device.identity != old
    assert Identity.objects.get(state=Identity.State.CURRENT).not_after > timezone.now() + timedelta(days=300)
    assert device.connect() == []


def test_mac_and_its_user_hold_declarations_of_their_own(line: Line, people: None) -> None:
    mac = fake_device(line, ANNA, Family.MAC)
    mac.enroll(password=PASSWORD)

    mac.synchronize()
    mac.synchronize(Channel.USER)

    device, user = (mac.declarations[channel] for channel in Channel)
    assert device.held.keys() == user.held.keys()
    assert device.token != user.token
