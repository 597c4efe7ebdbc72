import plistlib

import pytest
from pytest_django import DjangoAssertNumQueries

from devices.models import Command, Device, Enrollment, FinishedCommand, Result
from devices.protocol import commands
from devices.protocol.commands import AnyRequest, Kind, Platform
from devices.services import queue, retire
from devices.services.target import target_of
from tests.devices.services.rows import NOW, PROFILE, answered, channel_of, command, device_of, enrolled

pytestmark = pytest.mark.django_db
AAUE, MACOS = Enrollment.Kind.AAUE, Device.Platform.MACOS


def test_a_command_is_rendered_when_it_is_queued() -> None:
    channel = channel_of(enrolled())

    row = queue.queue(channel, commands.DeviceLock(message="Please return"))

    stored = Command.objects.get()
    assert (stored.pk, stored.channel, stored.request_type, stored.priority) == (row.pk, channel, "DeviceLock", -1)
    assert stored.state == Command.State.QUEUED
    assert plistlib.loads(stored.rendered) == {
        "CommandUUID": str(row.uuid).upper(),
        "Command": {"RequestType": "DeviceLock", "Message": "Please return"},
    }


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (AnyRequest(request_type="EnableLostMode"), "EnableLostMode needs a supervised device; account-driven"),
        (AnyRequest(request_type="Dance"), "There is no command Dance."),
        (commands.EraseDevice(), "EraseDevice needs the access right 8"),
        (AnyRequest(request_type="DeviceLock", payload={"Message": None}), "The key Message of DeviceLock is text"),
        (AnyRequest(request_type="DeviceLock", payload={"Message": "\0"}), "DeviceLock: the payload has no form"),
    ],
)
def test_what_cannot_work_is_not_queued(request_: commands.Request, sentence: str) -> None:
    enrollment = enrolled(access_rights=8191 - 8)

    with pytest.raises(queue.CommandRefused, match=sentence):
        queue.queue(channel_of(enrollment), request_)

    assert not Command.objects.exists()
    assert device_of(enrollment).status == Device.Status.ACTIVE


def test_nothing_is_queued_for_an_enrollment_that_has_ended() -> None:
    channel = channel_of(enrolled(state=Enrollment.State.ENDED))

    with pytest.raises(queue.CommandRefused, match="has ended"):
        queue.queue(channel, commands.ProfileList())


def test_nothing_is_queued_for_an_enrollment_that_ended_meanwhile() -> None:
    enrollment = enrolled()
    channel = channel_of(enrollment)
    retire.end_enrollment(Enrollment.objects.get(pk=enrollment.pk), reason="lost", now=NOW)

    with pytest.raises(queue.CommandRefused, match="has ended"):
        queue.queue(channel, commands.ProfileList())


def test_of_many_those_are_left_out_that_ended_meanwhile_or_cannot() -> None:
    tokens = commands.DeclarativeManagement(tokens=b"{}")
    good = channel_of(enrolled(udid="good", os_version="18.2"))
    ended = channel_of(enrolled(udid="ended", os_version="18.2"))
    old = channel_of(enrolled(udid="old", os_version="14.8"))
    Enrollment.objects.filter(pk=ended.enrollment_id).update(state=Enrollment.State.ENDED)

    queued = queue.queue_where_it_works([(ended, tokens), (good, tokens), (old, tokens)])

    assert [row.channel for row in queued] == [row.channel for row in Command.objects.all()] == [good]


@pytest.mark.parametrize("request_", [commands.DeviceLock(), commands.EraseDevice()])
def test_what_protects_a_lost_device_goes_first(request_: commands.Request) -> None:
    channel = channel_of(enrolled())
    first, urgent = queue.queue(channel, commands.ProfileList()), queue.queue(channel, request_)

    assert [row.pk for row in Command.objects.order_by("priority", "pk")] == [urgent.pk, first.pk]


@pytest.mark.parametrize(
    ("request_", "before", "after"),
    [
        (commands.EraseDevice(), "ACTIVE", "WIPE_PENDING"),
        (commands.EraseDevice(), "RETIRE_PENDING", "WIPE_PENDING"),
        (commands.RemoveProfile(identifier=PROFILE), "LOST", "RETIRE_PENDING"),
        (commands.RemoveProfile(identifier=PROFILE), "WIPE_PENDING", "WIPE_PENDING"),
        (commands.RemoveProfile(identifier="another"), "ACTIVE", "ACTIVE"),
        (commands.EraseDevice(), "WIPED", "WIPED"),  # no longer ours to change
        (commands.DeviceLock(), "ACTIVE", "ACTIVE"),
    ],
)
def test_the_record_says_that_its_device_is_on_its_way_out(request_: commands.Request, before: str, after: str) -> None:
    enrollment = enrolled(status=before)

    queue.queue(channel_of(enrollment), request_)

    assert device_of(enrollment).status == after


def test_removing_our_profile_from_a_user_of_a_mac_retires_nothing() -> None:
    enrollment = enrolled(platform=MACOS)

    queue.queue(channel_of(enrollment, "user"), commands.RemoveProfile(identifier=PROFILE))

    assert device_of(enrollment).status == Device.Status.ACTIVE


def test_a_new_enrollment_is_asked_in_one_insert(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    queue.queue_first_inventory(enrolled(udid="before"))
    Command.objects.all().cancel()
    enrollment = enrolled()

    with django_assert_num_queries(3):  # channel, payloads, insert
        queue.queue_first_inventory(enrollment)

    rows = Command.objects.order_by("pk")
    assert [row.request_type for row in rows] == [
        "DeviceInformation",
        "SecurityInfo",
        "InstalledApplicationList",
        "ProfileList",
        "CertificateList",
    ]
    first = plistlib.loads(rows[0].rendered)
    assert first["CommandUUID"] == str(rows[0].uuid).upper()
    assert "SerialNumber" in first["Command"]["Queries"]
    assert {row.channel.user_key for row in rows} == {""}


def test_a_mac_of_the_users_own_is_not_asked_for_its_applications() -> None:
    enrollment = enrolled(kind=AAUE, platform=MACOS)

    queue.queue_first_inventory(enrollment)

    asked = {row.request_type: row.rendered for row in Command.objects.all()}
    assert "InstalledApplicationList" not in asked
    assert "SerialNumber" not in plistlib.loads(bytes(asked["DeviceInformation"]))["Command"]["Queries"]


@pytest.mark.parametrize(
    ("platform", "family", "expected"),
    [
        ("macOS", "", Platform.MACOS),
        ("", "Mac", Platform.MACOS),
        ("", "iPad", Platform.IOS),
        ("", "RealityDevice", Platform.VISIONOS),
        ("visionOS", "iPhone", Platform.VISIONOS),
        ("", "", Platform.IOS),
    ],
)
def test_the_platform_is_the_devices_or_else_that_of_its_family(
    platform: Device.Platform, family: str, expected: Platform
) -> None:
    enrollment = enrolled(platform=platform)
    enrollment.family = family
    channel = channel_of(enrollment)
    channel.enrollment = enrollment

    assert target_of(channel).platform is expected


def test_the_target_is_the_channel_of_its_enrollment() -> None:
    target = target_of(channel_of(enrolled(platform=MACOS, access_rights=3), "user"))

    assert (target.kind, target.user_channel) == (Kind.ADDE, True)
    assert (target.access_rights, target.profile_identifier) == (3, PROFILE)


def test_the_target_is_what_the_device_last_said_of_itself() -> None:
    known = target_of(channel_of(enrolled(os_version="18.2.0", is_supervised=False)))
    unknown = target_of(channel_of(enrolled(udid="another", os_version="beta")))

    assert (known.os_version, known.supervised) == ((18, 2), False)
    assert (unknown.os_version, unknown.supervised) == (None, None)


def test_the_unlock_token_of_a_target_is_only_there_for_whoever_asks() -> None:
    enrollment = enrolled()
    assert target_of(channel_of(enrollment)).unlock_token() is None

    Enrollment.objects.update(unlock_token=b"hidden token")

    target = target_of(channel_of(enrollment))
    assert target.unlock_token() == b"hidden token"
    assert "hidden" not in repr(target)


def test_an_enrollment_that_has_no_device_yet_has_a_target() -> None:
    channel = channel_of(enrolled())
    channel.enrollment.device = None

    assert target_of(channel).platform is Platform.IOS


def test_cancelling_leaves_what_is_done_and_what_is_anothers() -> None:
    enrollment, another = enrolled(), enrolled(udid="another")
    waiting = [command(channel_of(enrollment), "ProfileList"), command(channel_of(enrollment, "user"), "ProfileList")]
    done = answered(command(channel_of(enrollment), "ProfileList"))
    others = command(channel_of(another), "ProfileList")

    assert Command.objects.filter(channel__enrollment=enrollment).cancel() == 2

    assert [(row.pk, row.state) for row in FinishedCommand.objects.order_by("pk")] == [(row.pk, 6) for row in waiting]
    assert Result.objects.get().pk == done.pk
    assert Command.objects.get().pk == others.pk
