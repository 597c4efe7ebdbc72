"""Which devices and which users of a Mac a configuration goes to."""

import pytest
from django.utils import translation

from devices.models import (
    Command,
    ConfigurationDelivery,
    Device,
    Enrollment,
)
from devices.protocol.error_chain import DeviceError
from devices.services import configuration_plan, configuration_status, configurations
from tests.devices.configuration.lab import (
    State,
    answer,
    assigned,
    delivery_of,
    open_commands,
    reply,
    uploaded,
    work,
)
from tests.devices.configuration.profiles import payload
from tests.devices.services.rows import PROFILE, channel_of, command, device_of, enrolled

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("com.apple.app.lock", "needs a supervised device"),
        ("com.apple.mail.managed", ""),
    ],
)
def test_what_a_device_would_not_take_is_not_sent(kind: str, sentence: str) -> None:
    iphone = enrolled()
    assigned(iphone, payload(kind))

    row = delivery_of(iphone)
    assert (row.state == State.FAILED, row.error_domain == "EPMM", open_commands(iphone) == []) == (
        (bool(sentence),) * 3
    )
    assert sentence in row.error_text
    assert (row.due_at, row.attempts) == (None, 0)


def told(iphone: Enrollment, **values: object) -> None:
    row = command(channel_of(iphone), "DeviceInformation")
    reply(row, Command.State.ACKNOWLEDGED, None, QueryResponses=values)
    work()


def test_what_was_refused_is_judged_again_when_the_device_says_what_it_is() -> None:
    """Whoever enrolls is planned for before anything is known."""
    iphone = enrolled()
    assigned(iphone, payload("com.apple.app.lock"))
    told(iphone, DeviceName="Anna's")
    assert delivery_of(iphone).state == State.FAILED

    told(iphone, IsSupervised=True)
    assert (delivery_of(iphone).state, open_commands(iphone)) == (State.PENDING, ["InstallProfile"])


def test_what_does_not_stay_is_not_judged_again() -> None:
    iphone = enrolled()
    assigned(iphone, payload("com.apple.app.lock"))
    ConfigurationDelivery.objects.update(mended=5)

    told(iphone, IsSupervised=True)
    assert open_commands(iphone) == []


def test_without_the_right_to_install_profiles_nothing_is_sent() -> None:
    iphone = enrolled(access_rights=1)
    assigned(iphone)

    row = delivery_of(iphone)
    assert (row.state, open_commands(iphone)) == (State.FAILED, [])
    assert "access right" in row.error_text


def test_what_speaks_against_it_is_read_in_any_language() -> None:
    """To the sentence within the sentence; what a device itself says stays as it is."""
    iphone = enrolled(access_rights=1)
    assigned(iphone)
    row = delivery_of(iphone)
    with translation.override("de"):
        assert "Zugriffsrecht" in configuration_status.error_of(row)
    assert configuration_status.error_of(row) == row.error_text

    row.fail(DeviceError(code=4001, text="Invalid profile"))
    with translation.override("de"):
        assert configuration_status.error_of(row) == "Invalid profile"


def test_the_enrollment_profile_is_never_touched() -> None:
    iphone = enrolled()
    Enrollment.objects.update(profile_identifier="another")
    configuration = uploaded(identifier=PROFILE)
    Enrollment.objects.update(profile_identifier=PROFILE)
    with pytest.raises(configurations.ConfigurationRefused, match="enrollment profile"):
        configurations.assign(configuration, device_of(iphone), actor="anna")
    configuration.assignments.create(device=device_of(iphone))
    configuration_plan.plan_configuration(configuration.pk)
    work()

    assert delivery_of(iphone).state == State.FAILED
    configurations.remove(configuration, actor="anna")
    work()
    assert open_commands(iphone) == []


def test_what_is_for_users_of_a_mac_goes_to_each_of_them() -> None:
    mac = enrolled(platform=Device.Platform.MACOS)
    user = channel_of(mac, "user-1")
    applied_to = assigned(mac, payload("com.apple.ews.account"), PayloadScope="User")

    row = delivery_of(mac)
    assert (row.channel, row.configuration) == (user, applied_to)
    answer(mac, user_key="user-1")
    assert delivery_of(mac).state == State.APPLIED
    channel_of(mac, "user-2")
    configuration_plan.plan_configuration(applied_to.pk)
    assert ConfigurationDelivery.objects.count() == 2


def test_a_phone_has_no_users_to_send_it_to() -> None:
    iphone = enrolled()
    configuration = assigned(iphone, PayloadScope="User")
    assert delivery_of(iphone).channel == channel_of(iphone)

    ConfigurationDelivery.objects.all().delete()
    configuration_plan.plan_configuration(configuration.pk)
    assert delivery_of(iphone).channel == channel_of(iphone)


@pytest.mark.parametrize("scope", ["System", "User"])
def test_both_ways_of_planning_choose_the_same_channels(scope: str) -> None:
    mac = enrolled(platform=Device.Platform.MACOS)
    channel_of(mac, "user-1")
    configuration = assigned(mac, PayloadScope=scope)
    by_device = set(ConfigurationDelivery.objects.values_list("channel", flat=True))
    ConfigurationDelivery.objects.all().delete()

    configuration_plan.plan_configuration(configuration.pk)

    assert set(ConfigurationDelivery.objects.values_list("channel", flat=True)) == by_device
    assert len(by_device) == 1
