"""What a device lists is compared with what it should have, and mended."""

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import Command, Configuration, ConfigurationDelivery, Device, Enrollment, InstalledProfile
from devices.protocol import commands
from devices.protocol.installed import read_profiles
from devices.services import configuration_delivery, configuration_drift, configurations, queue, results
from tests.devices.configuration.lab import (
    ACKNOWLEDGED,
    ERROR,
    State,
    answer,
    applied,
    assigned,
    delivery_of,
    installed_profile,
    item,
    let_time_pass,
    list_profiles,
    open_commands,
    refuse,
    reply,
    uploaded,
    work,
)
from tests.devices.configuration.profiles import payload, profile
from tests.devices.services.rows import answered, channel_of, command, device_of, enrolled

pytestmark = pytest.mark.django_db


def later(**time: int) -> datetime:
    return timezone.now() + timedelta(**time)


def test_what_is_there_stays_as_it_is() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    list_profiles(iphone, [item(configuration), {"PayloadIdentifier": "somebody.elses"}])

    row = delivery_of(iphone)
    assert (row.state, row.due_at, open_commands(iphone)) == (State.APPLIED, None, [])
    assert row.checked_at is not None
    assert InstalledProfile.objects.count() == 2


def test_what_is_missing_is_installed_again() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    list_profiles(iphone, [{"PayloadIdentifier": "somebody.elses"}])

    assert (delivery_of(iphone).state, open_commands(iphone)) == (State.PENDING, ["InstallProfile"])
    answer(iphone)
    list_profiles(iphone, [item(configuration)])
    assert (delivery_of(iphone).state, open_commands(iphone)) == (State.APPLIED, [])


def test_what_is_missing_from_a_list_of_some_is_still_there() -> None:
    """A device that was asked for what is managed alone."""
    iphone = enrolled()
    applied(iphone)
    row = queue.queue(channel_of(iphone), commands.ProfileList(managed_only=True))
    reply(row, ACKNOWLEDGED, None, ProfileList=[])
    work()

    assert (delivery_of(iphone).state, open_commands(iphone)) == (State.APPLIED, [])


def test_an_older_version_is_brought_up_to_date() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    uploaded(edition=2)
    work()
    answer(iphone)
    list_profiles(iphone, [item(configuration, edition=1)])

    row = delivery_of(iphone)
    assert (row.state, row.installed and row.installed.number) == (State.UPDATE_PENDING, 1)
    assert installed_profile(Command.objects.get()) == profile(edition=2)


def test_another_profile_by_our_name_is_replaced() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    list_profiles(iphone, [item(configuration, edition=9)])

    row = delivery_of(iphone)
    assert (row.in_doubt, row.installed, open_commands(iphone)) == (True, None, ["InstallProfile"])
    answer(iphone)
    assert (delivery_of(iphone).state, delivery_of(iphone).in_doubt) == (State.APPLIED, False)


def test_an_author_who_never_changes_the_uuid_causes_no_loop() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    same = item(configuration)["PayloadUUID"]
    configurations.upload(profile(edition=2, PayloadUUID=same), actor="anna")
    work()
    answer(iphone)
    list_profiles(iphone, [item(configuration)])

    row = delivery_of(iphone)
    assert (row.state, row.installed and row.installed.number, open_commands(iphone)) == (State.APPLIED, 2, [])


def updated_under_the_same_uuid(enrollment: Enrollment) -> Configuration:
    configuration = applied(enrollment)
    configurations.upload(profile(edition=2, PayloadUUID=item(configuration)["PayloadUUID"]), actor="anna")
    return configuration


def test_an_update_that_failed_is_not_there_because_its_uuid_is() -> None:
    iphone = enrolled()
    configuration = updated_under_the_same_uuid(iphone)
    work()
    refuse(iphone)
    list_profiles(iphone, [item(configuration)])

    row = delivery_of(iphone)
    assert (row.state, row.installed and row.installed.number) == (State.UPDATE_FAILED, 1)
    let_time_pass(timedelta(minutes=15))
    assert open_commands(iphone) == ["InstallProfile"]


def test_an_update_that_got_lost_is_not_there_because_its_uuid_is() -> None:
    iphone = enrolled()
    configuration = updated_under_the_same_uuid(iphone)
    work()
    Command.objects.all().delete()
    ConfigurationDelivery.objects.update(due_at=timezone.now())
    work()
    list_profiles(iphone, [item(configuration)])

    assert (delivery_of(iphone).state, open_commands(iphone)) == (State.UPDATE_PENDING, ["InstallProfile"])


@pytest.mark.parametrize("order", ["another version", "all of it again"])
def test_what_is_ordered_meanwhile_is_sent_whatever_is_listed(order: str) -> None:
    """The worker reads the list before it comes to the order."""
    iphone = enrolled()
    configuration = updated_under_the_same_uuid(iphone) if order == "another version" else applied(iphone)
    if order == "another version":
        ConfigurationDelivery.objects.want_current()
    else:
        configuration_delivery.push_again(device_of(iphone).pk)
    list_profiles(iphone, [item(configuration)])

    assert open_commands(iphone) == ["InstallProfile"]


def test_case_of_a_uuid_makes_no_difference() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    listed = item(configuration)
    list_profiles(iphone, [listed | {"PayloadUUID": listed["PayloadUUID"].lower()}])

    assert open_commands(iphone) == []


def removed(enrollment: Enrollment) -> Configuration:
    configuration = applied(enrollment)
    configurations.unassign(configuration, device_of(enrollment), actor="anna")
    work()
    answer(enrollment)
    return configuration


def test_what_came_back_is_removed_again() -> None:
    iphone = enrolled()
    configuration = removed(iphone)
    list_profiles(iphone, [item(configuration, IsManaged=True)])

    assert open_commands(iphone) == ["RemoveProfile"]
    answer(iphone)
    assert delivery_of(iphone).state == State.REVOKED


def test_what_a_person_installed_by_hand_is_theirs() -> None:
    iphone = enrolled()
    configuration = removed(iphone)
    list_profiles(iphone, [item(configuration, IsManaged=False)])

    assert (open_commands(iphone), delivery_of(iphone).state) == ([], State.REVOKED)


def test_what_we_never_installed_is_not_removed() -> None:
    iphone = enrolled()
    configuration = assigned(iphone)
    configurations.unassign(configuration, device_of(iphone), actor="anna")
    work()
    list_profiles(iphone, [item(configuration)])

    assert open_commands(iphone) == []


def test_a_removal_that_failed_because_nothing_was_there_is_done() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    configurations.unassign(configuration, device_of(iphone), actor="anna")
    work()
    refuse(iphone, ERROR, "The profile is not installed.")

    assert (delivery_of(iphone).state, open_commands(iphone)) == (State.FAILED, ["ProfileList"])
    list_profiles(iphone, [])
    row = delivery_of(iphone)
    assert (row.state, row.error_text, row.due_at) == (State.REVOKED, "", None)


def test_a_removal_that_failed_is_tried_again() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    configurations.unassign(configuration, device_of(iphone), actor="anna")
    work()
    refuse(iphone)
    list_profiles(iphone, [item(configuration)])
    let_time_pass(timedelta(minutes=15))

    assert open_commands(iphone) == ["RemoveProfile"]


def test_an_answer_from_before_the_installation_says_nothing() -> None:
    iphone = enrolled()
    assigned(iphone)
    before = timezone.now()
    list_profiles(iphone, [], at=before)  # while it is on its way
    answer(iphone)
    list_profiles(iphone, [], at=before)  # read late

    assert (delivery_of(iphone).state, open_commands(iphone)) == (State.APPLIED, [])


def test_a_profile_that_does_not_stay_is_given_up() -> None:
    iphone = enrolled()
    applied(iphone)
    pauses = []
    for hours in range(1, 20):
        list_profiles(iphone, [], at=later(hours=hours))
        row = delivery_of(iphone)
        if row.due_at is not None:
            pauses.append(row.due_at - later(hours=hours) > timedelta(minutes=10))
        let_time_pass(timedelta(days=3))
        if not open_commands(iphone):
            break
        answer(iphone, at=later(hours=hours, minutes=1))

    row = delivery_of(iphone)
    assert (row.state, row.due_at, open_commands(iphone)) == (State.FAILED, None, [])
    assert "does not stay" in row.error_text
    assert pauses == [False] + [True] * 4  # the first time is mended at once
    list_profiles(iphone, [], at=later(days=2))
    assert open_commands(iphone) == []


def test_what_has_stayed_for_a_day_may_go_missing_again() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    ConfigurationDelivery.objects.update(mended=4)
    list_profiles(iphone, [item(configuration)], at=later(hours=1))
    assert delivery_of(iphone).mended == 4

    list_profiles(iphone, [item(configuration)], at=later(hours=25))
    assert delivery_of(iphone).mended == 0


def test_a_doubt_ends_with_the_list() -> None:
    iphone = enrolled()
    configuration = assigned(iphone)
    Command.objects.all().delete()
    ConfigurationDelivery.objects.update(due_at=timezone.now())
    work()
    assert delivery_of(iphone).state == State.UNKNOWN

    list_profiles(iphone, [item(configuration)])
    assert (delivery_of(iphone).state, open_commands(iphone)) == (State.APPLIED, [])


def test_a_doubt_ends_with_the_list_also_when_nothing_is_there() -> None:
    iphone = enrolled()
    assigned(iphone)
    Command.objects.all().delete()
    ConfigurationDelivery.objects.update(due_at=timezone.now())
    work()

    list_profiles(iphone, [])
    assert (delivery_of(iphone).state, open_commands(iphone)) == (State.PENDING, ["InstallProfile"])


def test_what_a_user_of_a_mac_has_is_compared_apart() -> None:
    mac = enrolled(platform=Device.Platform.MACOS)
    channel_of(mac, "user-1")
    assigned(mac, payload("com.apple.ews.account"), PayloadScope="User")
    answer(mac, user_key="user-1")
    list_profiles(mac, [])
    assert open_commands(mac) == []

    list_profiles(mac, [], user_key="user-1")
    assert open_commands(mac) == ["InstallProfile"]


def test_devices_are_asked_once_a_day() -> None:
    iphone, silent = enrolled(), enrolled(udid="another")
    configuration = applied(iphone)
    configuration_drift.ask_where_due()
    assert open_commands(iphone) == []

    ConfigurationDelivery.objects.update(installed_at=later(hours=-25))
    for _ in range(2):
        configuration_drift.ask_where_due()
    assert (open_commands(iphone), open_commands(silent)) == (["ProfileList"], [])

    list_profiles(iphone, [item(configuration)])
    configuration_drift.ask_where_due()
    assert open_commands(iphone) == []


def test_a_device_whose_command_waits_is_not_asked_again_and_again() -> None:
    iphone = enrolled()
    applied(iphone)
    uploaded(edition=2)
    work()
    ConfigurationDelivery.objects.update(installed_at=later(hours=-25))
    configuration_drift.ask_where_due()

    assert open_commands(iphone) == ["InstallProfile"]


def test_a_list_that_cannot_be_had_changes_nothing() -> None:
    iphone = enrolled()
    applied(iphone)
    answered(command(channel_of(iphone), "ProfileList"), ERROR)
    results.read_results()

    assert delivery_of(iphone).state == State.APPLIED


def test_a_list_takes_the_same_number_of_statements(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for count in (2, 10):
        iphone = enrolled(udid=f"udid-{count}")
        configurations_ = [applied(iphone, identifier=f"com.example.{number}") for number in range(count)]
        result = answered(command(channel_of(iphone), "ProfileList"))
        result.received_at = later(hours=1)
        with django_assert_num_queries(2):
            configuration_drift.compare(
                result, read_profiles({"ProfileList": [item(each) for each in configurations_]})
            )
        assert set(ConfigurationDelivery.objects.values_list("state", flat=True)) == {State.APPLIED}
