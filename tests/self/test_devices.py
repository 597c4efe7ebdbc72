"""A person's own devices, whole product: what they see, what they do, and what of others is out of reach."""

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from devices.models import Command, Device
from devices.services import actions
from devices.services.actions import Order
from devices.services.self_actions import OWN
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from epmm.models import AuditEntry
from tests.flows.house import PASSWORD, House, person, record_of, states, switch
from tests.self.conftest import EVERYTHING, enter, phone, text
from users.models import Role, User
from users.services import roles

pytestmark = pytest.mark.django_db(transaction=True)


def home(device: Device) -> str:
    return f"/my/devices/{device.uuid}"


def known(house: House, device: SimulatedDevice) -> Device:
    """Its record, after it has told its name."""
    device.connect()
    house.work()
    record = record_of(device)
    assert record.device_name
    return record


@pytest.fixture
def anna(house: House) -> Client:
    person("anna", roles=(*EVERYTHING, Role.ADDE))
    client = phone()
    enter(client)
    return client


def test_a_person_sees_their_devices_with_status_and_story(house: House, anna: Client) -> None:
    record = known(house, house.enrolled())

    page = text(anna.get("/"))
    assert record.device_name in page
    assert "Active" in page
    details = text(anna.get(home(record)))
    assert record.serial_number in details
    assert "anna@mdm.example.test" in details
    assert "Enrolled <span" in details


def test_of_a_device_on_its_way_no_more_is_said_than_is_known(house: House, anna: Client) -> None:
    device = house.device()
    device.discover()
    device.request_challenge()
    device.sign_in(password=PASSWORD)

    page = text(anna.get("/"))
    assert "Enrollment verified" in page
    assert "iOS 18.2" in page
    assert "·" not in page, "there is nothing before the system to be set apart from it"


def test_nobody_sees_or_touches_the_devices_of_others(house: House, anna: Client) -> None:
    person("bob", roles=(*EVERYTHING, Role.ADDE))
    bobs = record_of(house.enrolled(identifier="bob@mdm.example.test"))
    before = AuditEntry.objects.count()

    for uuid in (bobs.uuid, uuid4()):
        where = f"/my/devices/{uuid}"
        for address in (where, *[f"{where}/{own.action.key}" for own in OWN]):
            assert anna.get(address).status_code == 404, address
            sent = {"typed": bobs.device_name, "password": PASSWORD, "owner": "EMPLOYEE"}
            assert anna.post(address, sent).status_code in (404, 405), address
    assert str(bobs.uuid) not in text(anna.get("/"))
    assert not Command.objects.filter(request_type__in=["DeviceLock", "EraseDevice", "ClearPasscode"]).exists()
    assert AuditEntry.objects.count() == before
    bobs.refresh_from_db()
    assert bobs.owner == Device.Owner.COMPANY


def test_lock_with_a_message_is_sent_and_audited_with_the_person(house: House, anna: Client) -> None:
    device = house.enrolled()
    record = record_of(device)

    asked = text(anna.get(f"{home(record)}/lock"))
    assert "The passcode stays as it is" in asked
    assert "DeviceLock" not in [name for name, _state in states(device)]
    done = anna.post(f"{home(record)}/lock", {"message": "Please call Anna"}, follow=True)
    assert "the device locks as soon as it is reached" in text(done)
    assert 'Told to lock <span class="quiet">by you</span>' in text(done)
    assert "DeviceLock" in [name for name, _state in states(device)]
    entry = AuditEntry.objects.get(action="command.queued", details__request_type="DeviceLock")
    assert (entry.actor, entry.subject, entry.address) == ("anna", str(record.uuid), "127.0.0.1")


def test_a_mac_is_locked_with_a_pin_that_opens_it_again(house: House, anna: Client) -> None:
    device = house.enrolled(Family.MAC)
    where = f"{home(record_of(device))}/lock"

    assert "types the PIN that you choose here" in text(anna.get(where))
    assert anna.post(where, {"message": "x"}).status_code == 422
    assert anna.post(where, {"message": "x", "pin": "123456"}).status_code == 302
    assert "DeviceLock" in [name for name, _state in states(device)]
    assert "123456" not in str(list(AuditEntry.objects.values_list("details", flat=True)))


def test_what_administrators_did_is_told_without_their_names_and_notes(house: House, anna: Client) -> None:
    record = record_of(house.enrolled())
    for key, values in (("lost", {}), ("comment", {"comment": "suspicious fellow"}), ("lock", {})):
        subject = actions.subjects([record])
        assert [
            each.is_done for each in actions.carry_out(actions.BY_KEY[key], subject, Order(values=values, actor="boss"))
        ]

    page = text(anna.get(home(record)))
    assert 'Marked as lost <span class="quiet">by your organization</span>' in page
    assert 'Told to lock <span class="quiet">by your organization</span>' in page
    assert "boss" not in page
    assert "suspicious" not in page


def test_a_wipe_needs_the_name_and_the_password_again(house: House, anna: Client) -> None:
    device = house.enrolled()
    record = known(house, device)
    where = f"{home(record)}/wipe"
    right = {"typed": record.device_name, "password": PASSWORD}

    wrong = anna.post(where, right | {"typed": "another"})
    assert wrong.status_code == 422
    assert "This is not" in text(wrong)
    assert anna.post(where, {"typed": record.device_name}).status_code == 422
    refused = anna.post(where, right | {"password": "wrong"})
    assert refused.status_code == 422
    assert "is not right" in text(refused)
    assert "EraseDevice" not in [name for name, _state in states(device)]

    done = anna.post(where, right, follow=True)
    assert "erases itself" in text(done)
    assert "Wipe pending" in text(done)
    assert "EraseDevice" in [name for name, _state in states(device)]
    again = anna.post(where, right)
    assert again.status_code == 422
    assert "pending already" in text(again)


def test_guesses_at_the_password_of_a_wipe_are_slowed_down(house: House, anna: Client) -> None:
    record = known(house, house.enrolled())
    sent = {"typed": record.device_name, "password": "wrong"}

    statuses = [anna.post(f"{home(record)}/wipe", sent).status_code for _ in range(10)]
    assert statuses[0] == 422
    assert statuses[-1] == 429


def test_retire_is_sent_once_and_told(house: House, anna: Client) -> None:
    device = house.enrolled()
    record = record_of(device)

    assert "save what you still need first" in text(anna.get(f"{home(record)}/retire"))
    done = anna.post(f"{home(record)}/retire", follow=True)
    assert 'Told to leave management <span class="quiet">by you</span>' in text(done)
    assert "A retirement is pending already." in text(done)
    device.connect()
    house.work()
    page = text(anna.get(home(record)))
    assert "Retired: the device left management" in page
    assert "This device is retired." in page
    assert "Former devices" in text(anna.get("/"))


def test_the_owner_is_changed_on_the_record(house: House, anna: Client) -> None:
    record = record_of(house.enrolled())

    anna.post(f"{home(record)}/ownership", {"owner": "EMPLOYEE"})
    record.refresh_from_db()
    assert record.owner == Device.Owner.EMPLOYEE
    assert AuditEntry.objects.filter(action="device.owner_changed", actor="anna").exists()


@pytest.mark.parametrize("own", OWN, ids=lambda own: own.action.key)
def test_each_action_has_its_role(house: House, own: Any) -> None:
    user = person("anna", roles=(Role.ADDE, own.role))
    client = phone()
    enter(client)
    record = record_of(house.enrolled())

    offered = text(client.get(home(record)))
    assert [str(each.action.label) for each in OWN if f'/{each.action.key}"' in offered] == [str(own.action.label)]
    opened = {each.action.key: client.get(f"{home(record)}/{each.action.key}").status_code for each in OWN}
    assert opened == {each.action.key: 200 if each is own else 403 for each in OWN}
    roles.remove(user, [own.role], actor="test")
    assert client.post(f"{home(record)}/{own.action.key}", {"typed": "x", "password": PASSWORD}).status_code == 403


def test_what_a_device_does_not_allow_is_grey_and_says_why(house: House, anna: Client) -> None:
    mac = record_of(house.enrolled(Family.MAC))
    page = text(anna.get(home(mac)))

    assert "This kind of device does not offer it." in page
    assert f"/my/devices/{mac.uuid}/unlock" not in page
    assert anna.post(f"{home(mac)}/unlock").status_code == 422


def test_a_right_that_was_not_asked_for_greys_what_needs_it(house: House, anna: Client) -> None:
    switch("ios.mdm.access_rights", "1,2,16")
    record = record_of(house.enrolled())
    page = text(anna.get(home(record)))

    assert page.count("Your organization has not asked for the right to do this on your device.") == 3
    assert f"/my/devices/{record.uuid}/wipe" not in page


def test_a_device_of_their_own_cannot_be_erased(house: House) -> None:
    person("carla", roles=(*EVERYTHING, Role.AAUE))
    switch("ios.mdm.account_driven_user_enrollment", "on")
    client = phone()
    enter(client, "carla")
    record = record_of(house.enrolled(identifier="carla@mdm.example.test"))
    page = text(client.get(home(record)))

    assert record.enrollment_type == "aaue"
    assert "The device is enrolled as your own, so your organization may not do this." in page
    assert f"/my/devices/{record.uuid}/wipe" not in page
    assert f"/my/devices/{record.uuid}/lock" in page


def test_what_was_before_it_was_theirs_is_not_told(house: House, anna: Client) -> None:
    bob = person("bob", roles=(Role.ADDE,))
    device = house.enrolled()
    record = record_of(device)
    anna.post(f"{home(record)}/lock", {"message": "mine"})
    device.check_out()
    house.work()
    record.refresh_from_db()
    subject = actions.subjects([record])
    outcome = next(actions.carry_out(actions.BY_KEY["user"], subject, Order(values={"user": bob}, actor="boss")))
    assert outcome.is_done, outcome.said

    other = phone()
    enter(other, "bob")
    page = text(other.get(home(record)))
    assert "Assigned to you" in page
    assert "Told to lock" not in page
    assert anna.get(home(record)).status_code == 404


def test_pages_cost_the_same_with_many_devices(house: House, anna: Client, django_assert_max_num_queries: Any) -> None:
    user = User.objects.get(user_id="anna")
    record = record_of(house.enrolled())
    Device.objects.bulk_create(
        Device(
            user=user,
            status=status,
            device_name=f"Anna's own telephone, number {number}",
            model_name="iPhone 16 Pro Max",
            platform="iOS",
            os_version="18.2.1",
            last_seen_at=timezone.now(),
        )
        for status in ("ACTIVE", "RETIRED")
        for number in range(60)
    )
    for _ in range(40):
        AuditEntry.objects.create(
            actor="anna", action="command.queued", subject_type="device", subject=str(record.uuid), status="Success",
            details={"request_type": "DeviceLock"},
        )  # fmt: skip

    for address in ("/", home(record), f"{home(record)}/wipe"):
        with django_assert_max_num_queries(12):
            answer = anna.get(address)
        assert answer.status_code == 200
        assert len(answer.content) < 60_000
