"""The command loop, told by a device.  Runs on the database of the run, and means the same on both."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from devices.models import Channel, Command, Result
from devices.services import history
from epmm.wire.limits import DEEPEST, MOST_ELEMENTS
from tests.devices.door.fakes import FakeDevice, Site

State = Command.State


def now(command: Command) -> Any:
    """As it stands in whichever table."""
    return history.find(command.uuid)


def test_nothing_to_do_is_zero_bytes(device: FakeDevice) -> None:
    assert device.idle().command is None


def test_every_contact_is_noted_and_an_idle_begins_a_session(device: FakeDevice) -> None:
    before = timezone.now()
    device.idle()

    channel = device.channel
    assert channel.last_seen_at is not None
    assert channel.last_seen_at == channel.idle_at
    assert before - timedelta(seconds=1) < channel.last_seen_at < timezone.now() + timedelta(seconds=1)

    device.report("Acknowledged", uuid4())
    later = device.channel
    assert later.last_seen_at is not None
    assert later.last_seen_at > channel.last_seen_at
    assert later.idle_at == channel.idle_at


def test_commands_come_first_in_first_out_and_urgent_ones_before(device: FakeDevice) -> None:
    first, second, urgent = device.queue(), device.queue(), device.queue("DeviceLock", priority=-1)

    assert device.idle().command == urgent.uuid
    assert device.report("Acknowledged", urgent).command == first.uuid
    assert device.report("Acknowledged", first).command == second.uuid
    assert device.report("Acknowledged", second).command is None


def test_a_command_is_carried_as_it_was_rendered(device: FakeDevice) -> None:
    command = device.queue()

    assert device.idle().body == bytes(command.rendered)


def test_an_offered_command_says_so(device: FakeDevice) -> None:
    command = device.queue()
    device.idle()

    first = now(command)
    assert (first.state, first.offered_at is not None) == (State.OFFERED, True)
    device.idle()
    assert now(command).offered_at == first.offered_at


def test_a_lost_answer_is_asked_for_again(device: FakeDevice) -> None:
    command = device.queue()

    assert [device.idle().command for _ in range(3)] == [command.uuid] * 3
    assert device.report("Acknowledged", command).command is None


@pytest.mark.parametrize(
    ("status", "state"),
    [("Acknowledged", State.ACKNOWLEDGED), ("Error", State.ERROR), ("CommandFormatError", State.FORMAT_ERROR)],
)
def test_a_result_closes_its_command_and_is_kept_as_it_came(
    device: FakeDevice, status: str, state: Command.State
) -> None:
    command = device.queue()
    device.idle()
    body = device.message({"Status": status, "CommandUUID": str(command.uuid), "ErrorChain": [{"ErrorCode": 1}]})
    device.site.put(body, device.headers(body))

    assert not Command.objects.exists()
    result = Result.objects.get()
    assert (result.pk, result.uuid, result.channel, result.payload) == (
        command.pk,
        command.uuid,
        command.channel,
        command.payload,
    )
    assert (result.state, bytes(result.body)) == (state, body)
    assert result.offered_at is not None
    assert command.created_at < result.offered_at < result.received_at


@pytest.mark.parametrize(
    "value",
    [b"<array>" + b"<true/>" * MOST_ELEMENTS + b"</array>", b"<array>" * DEEPEST + b"</array>" * DEEPEST],
    ids=["many elements", "deep"],
)
def test_a_result_that_nobody_can_read_is_kept_and_holds_up_no_other(device: FakeDevice, value: bytes) -> None:
    """Refused, it would be repeated for ever."""
    command, following = device.queue(), device.queue()
    device.idle()
    body = device.message({"Status": "Acknowledged", "CommandUUID": str(command.uuid), "QueryResponses": True})
    body = body.replace(b"<true/>", value)

    assert device.site.put(body, device.headers(body)).command == following.uuid
    assert bytes(Result.objects.get(uuid=command.uuid).body) == body


def test_a_repeated_result_changes_nothing_and_gets_what_comes_next(device: FakeDevice) -> None:
    command, following = device.queue(), device.queue()
    device.idle()
    device.report("Acknowledged", command, Try=1)
    done_at = now(command).done_at

    assert device.report("Error", command, Try=2).command == following.uuid
    assert (now(command).state, now(command).done_at) == (State.ACKNOWLEDGED, done_at)
    assert b"<integer>1</integer>" in bytes(Result.objects.get().body)


@pytest.mark.parametrize("uuid", ["6b1d5a0e-7e1b-4b8e-9d54-0f3b6f0c8a11", "not a command of ours", ""])
def test_a_result_for_an_unknown_command_is_harmless(device: FakeDevice, uuid: str) -> None:
    command = device.queue()

    assert device.connect("Acknowledged", CommandUUID=uuid).command == command.uuid
    assert not Result.objects.exists()


def test_a_result_for_a_command_that_is_over_is_harmless(device: FakeDevice) -> None:
    command = device.queue()
    device.idle()
    Command.objects.all().cancel()

    assert device.report("Acknowledged", command).command is None
    assert now(command).state == State.CANCELLED
    assert not Result.objects.exists()


def test_what_was_called_back_is_offered_no_more_and_its_answer_kept(device: FakeDevice) -> None:
    command = device.queue()
    device.idle()
    device.report("NotNow", command)
    device.idle()
    Command.objects.all().call_back()

    assert device.idle().command is None
    assert device.report("NotNow", command).command is None
    assert device.idle().command is None
    assert now(command).state == State.CANCELLED
    device.report("Acknowledged", command)
    assert Result.objects.get().uuid == command.uuid


def test_nobody_answers_for_another_device(site: Site, device: FakeDevice) -> None:
    other = FakeDevice.enrolled(site)
    command = other.queue()
    other.idle()

    assert device.report("Acknowledged", command).command is None
    assert device.report("NotNow", command).command is None
    assert (now(command).state, now(command).not_now_count) == (State.OFFERED, 0)
    assert not Result.objects.exists()


def test_the_user_of_a_mac_has_a_queue_of_his_own(device: FakeDevice) -> None:
    user = device.user("F17C470A-3ADC-47EC-A7CC-D432867F4793")
    for_device, for_user = device.queue(), user.queue()

    assert device.idle().command == for_device.uuid
    assert user.idle().command == for_user.uuid
    assert device.report("Acknowledged", for_user).command == for_device.uuid
    assert now(for_user).state == State.OFFERED
    assert user.report("Acknowledged", for_user).command is None


def test_what_was_put_off_waits_for_the_next_session(device: FakeDevice) -> None:
    command = device.queue()
    device.idle()

    assert device.report("NotNow", command).command is None
    assert (now(command).state, now(command).not_now_count) == (State.NOT_NOW, 1)
    assert device.idle().command == command.uuid
    assert now(command).state == State.NOT_NOW  # and stays so until it is done
    assert device.report("Acknowledged", command).command is None
    assert now(command).state == State.ACKNOWLEDGED


def test_the_others_go_on_when_one_is_put_off(device: FakeDevice) -> None:
    busy, other, third = device.queue("InstallProfile"), device.queue(), device.queue()

    assert device.idle().command == busy.uuid
    assert device.report("NotNow", busy).command == other.uuid
    assert device.report("NotNow", other).command == third.uuid
    assert device.report("Acknowledged", third).command is None  # no ping-pong: both were put off in this session
    assert device.idle().command == busy.uuid
    assert device.report("Acknowledged", busy).command == other.uuid  # put off before this session began
    assert device.report("NotNow", other).command is None
    assert now(other).not_now_count == 2


def test_what_was_put_off_by_a_clock_that_was_ahead_does_not_wait_for_it(device: FakeDevice) -> None:
    """An hour ahead, and put back between two sessions."""
    command = device.queue()
    device.idle()
    device.report("NotNow", command)
    Command.objects.update(not_now_at=timezone.now() + timedelta(hours=1))

    assert device.idle().command == command.uuid
    assert device.report("NotNow", command).command is None


def test_a_session_that_began_by_a_clock_that_was_ahead_ends(device: FakeDevice) -> None:
    """Put back in the middle of a session: without an end to it, two commands would be put off for ever."""
    first, second = device.queue(), device.queue()
    device.idle()
    Channel.objects.filter(pk=device.channel.pk).update(idle_at=timezone.now() + timedelta(hours=1))

    assert device.report("NotNow", first).command == second.uuid
    assert device.report("NotNow", second).command is None


def test_a_repeated_not_now_counts_and_does_not_loop(device: FakeDevice) -> None:
    command = device.queue()
    device.idle()

    assert [device.report("NotNow", command).command for _ in range(3)] == [None] * 3
    assert now(command).not_now_count == 3


def test_a_not_now_for_a_closed_command_does_not_open_it(device: FakeDevice) -> None:
    command = device.queue()
    device.idle()
    device.report("Acknowledged", command)

    assert device.report("NotNow", command).command is None
    assert now(command).state == State.ACKNOWLEDGED


def test_a_report_may_come_to_the_other_url(device: FakeDevice) -> None:
    command = device.queue()

    assert device.send({"Status": "Idle"}, path="/mdm/checkin").command == command.uuid
    assert not device.site.handlers.checked_in
