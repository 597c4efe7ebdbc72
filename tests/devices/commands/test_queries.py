from dataclasses import replace

import pytest

from devices.protocol.commands import DeviceInformation, Target
from devices.protocol.queries import NOT_ASKED, PERSONAL
from tests.devices.commands.targets import EVERY, IPHONE, MAC, MAC_USER, OWN_IPHONE, OWN_MAC, OWN_VISION, VISION


def queries(target: Target) -> tuple[str, ...]:
    return DeviceInformation.for_target(target).queries


@pytest.mark.parametrize("target", [OWN_IPHONE, OWN_MAC, OWN_VISION])
def test_a_device_of_the_users_own_is_asked_nothing_that_recognizes_it(target: Target) -> None:
    asked = set(queries(target))

    assert {"OSVersion", "ModelName", "IsSupervised", "DeviceCapacity"} <= asked
    assert not asked & {"UDID", "SerialNumber", "IMEI", "PhoneNumber", "WiFiMAC", "ServiceSubscriptions"}
    assert not asked & PERSONAL


@pytest.mark.parametrize("target", [IPHONE, MAC, VISION])
def test_a_device_enrollment_is_asked_for_its_identity_too(target: Target) -> None:
    assert {"OSVersion", "UDID", "SerialNumber", "WiFiMAC"} <= set(queries(target))


@pytest.mark.parametrize("target", EVERY)
def test_no_query_is_asked_twice_and_none_that_costs_or_reveals_too_much(target: Target) -> None:
    asked = queries(target)

    assert len(asked) == len(set(asked))
    assert not NOT_ASKED & set(asked)


def test_a_user_of_a_mac_is_not_asked_what_only_the_mac_answers() -> None:
    assert set(queries(replace(MAC_USER, user_channel=False))) - set(queries(MAC_USER)) == {"ActiveManagedUsers"}
