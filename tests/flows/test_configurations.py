"""A configuration's way to simulated devices and back, through the real door."""

import plistlib

from devices.models import ConfigurationDelivery
from devices.protocol.commands import ProfileList
from devices.services import configurations, labels, queue
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.messages import Channel
from epmm.wire import cms
from tests.devices.configuration.profiles import IDENTIFIER, payload, profile
from tests.flows.house import House, enrollment_of, record_of
from users.models import User

State = ConfigurationDelivery.State


def state_of(device: SimulatedDevice) -> str:
    return ConfigurationDelivery.objects.get(channel__enrollment=enrollment_of(device)).state


def settled(house: House, device: SimulatedDevice, channel: Channel = Channel.DEVICE) -> list[str]:
    """The worker and the device take turns until neither has anything to do; what the device was told of profiles."""
    told: list[str] = []
    while True:
        for _ in range(2):  # jobs come after outboxes, and fill them
            house.work()
        executed = device.connect(channel)
        if not executed:
            return told
        told += [item.request_type for item in executed if "Profile" in item.request_type]


def profiles_on(device: SimulatedDevice) -> dict[str, dict[str, object]]:
    assert device._commands is not None
    return device._commands.profiles


def list_profiles(device: SimulatedDevice) -> None:
    queue.queue(enrollment_of(device).channels.get(user_key=""), ProfileList())


def test_a_profile_is_installed_updated_mended_and_removed(house: House, anna: User) -> None:
    device = house.enrolled()
    settled(house, device)
    configuration = configurations.upload(profile(), actor="test").configuration
    configurations.assign(configuration, record_of(device), actor="test")

    assert settled(house, device) == ["InstallProfile"]
    assert state_of(device) == State.APPLIED
    assert profiles_on(device)[IDENTIFIER] == plistlib.loads(profile())

    configurations.upload(profile(edition=2), actor="test")
    assert settled(house, device) == ["InstallProfile"]
    assert profiles_on(device)[IDENTIFIER] == plistlib.loads(profile(edition=2))

    profiles_on(device).clear()
    profiles_on(device)["somebody.elses"] = plistlib.loads(profile(identifier="somebody.elses"))
    list_profiles(device)
    assert settled(house, device) == ["ProfileList", "InstallProfile"]
    assert state_of(device) == State.APPLIED
    assert IDENTIFIER in profiles_on(device)

    list_profiles(device)
    assert settled(house, device) == ["ProfileList"]
    configurations.remove(configuration, actor="test")
    assert settled(house, device) == ["RemoveProfile"]
    assert list(profiles_on(device)) == ["somebody.elses"]
    assert state_of(device) == State.REVOKED


def test_an_unsigned_profile_arrives_with_our_signature(house: House, anna: User) -> None:
    device = house.enrolled()
    settled(house, device)
    received: list[bytes] = []

    def install(keys: object) -> dict[str, object]:
        assert isinstance(keys, dict)
        received.append(keys["Payload"])
        return {}

    device.answers["InstallProfile"] = install
    configuration = configurations.upload(profile(), actor="test").configuration
    configurations.assign(configuration, record_of(device), actor="test")
    settled(house, device)

    message = cms.parse_signed(received[0])
    message.verify()
    assert message.content == profile()


def test_who_enrolls_again_gets_what_the_label_has(house: House, anna: User) -> None:
    label = labels.create("Anna", actor="test")
    configuration = configurations.upload(profile(), actor="test").configuration
    configurations.assign(configuration, label, actor="test")
    device = house.enrolled()
    labels.add(label, record_of(device), actor="test")
    settled(house, device)
    assert state_of(device) == State.APPLIED

    device.check_out()
    house.work()
    assert state_of(device) == State.REVOKED
    device.forget()
    device.enroll(password="correct horse battery")
    assert settled(house, device)[-1] == "InstallProfile"
    assert state_of(device) == State.APPLIED


def test_what_is_for_the_user_of_a_mac_goes_to_the_user(house: House, anna: User) -> None:
    device = house.enrolled(Family.MAC)
    settled(house, device)
    raw = profile(payload("com.apple.ews.account"), PayloadScope="User")
    configuration = configurations.upload(raw, actor="test").configuration
    configurations.assign(configuration, record_of(device), actor="test")

    assert settled(house, device) == []
    assert settled(house, device, Channel.USER) == ["InstallProfile"]
    assert state_of(device) == State.APPLIED


def test_a_user_who_comes_later_finds_what_waits(house: House, anna: User) -> None:
    device = house.device(Family.MAC)
    device.enroll(password="correct horse battery")
    record = record_of(device)
    enrollment_of(device).channels.exclude(user_key="").delete()
    raw = profile(payload("com.apple.ews.account"), PayloadScope="User")
    configurations.assign(configurations.upload(raw, actor="test").configuration, record, actor="test")
    settled(house, device)
    assert not ConfigurationDelivery.objects.exists()

    device.token_update(Channel.USER)
    assert settled(house, device, Channel.USER) == ["InstallProfile"]
