"""Never twice within the window, and longer pauses after failures."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import Channel, Command, PushCertificate, Wake
from devices.protocol.commands import EraseDevice
from devices.services import push, push_certificates, queue, waking
from devices.services.push_pauses import LEASE
from tests.devices.services.pushing import Apple, due_in, reachable, token
from tests.devices.services.rows import command
from tests.epmm.test_metrics import explained

pytestmark = pytest.mark.django_db
YEAR = timedelta(days=365)


@pytest.fixture(autouse=True)
def long_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shared machine may stand still for seconds."""
    monkeypatch.setattr(push, "WINDOW", timedelta(seconds=50))


def test_what_is_queued_while_its_device_is_being_woken_waits(apple: Apple) -> None:
    channel = reachable()
    command(channel, "ProfileList")
    credentials = push_certificates.current()
    assert credentials
    first = push._lease(credentials, timezone.now(), 10)
    late = command(channel, "SecurityInfo")

    assert push._lease(credentials, timezone.now(), 10).channels == []
    assert timedelta(0) < due_in(late) <= push.WINDOW
    push._settle(first, push._send(first.channels, credentials))
    assert apple.woken() == [token(channel)]
    assert timedelta(0) < due_in(late) <= push.WINDOW  # the device may have come before it was there


def test_of_more_commands_than_a_batch_one_push_tells(apple: Apple) -> None:
    channel = reachable()
    for _ in range(10):
        command(channel, "ProfileList")

    assert push.push_due(2) == 1
    Channel.objects.update(pushed_at=timezone.now() - push.WINDOW)
    assert push.push_due(2) == 0
    assert apple.woken() == [token(channel)]


def let_patience_end() -> None:
    Channel.objects.update(push_leased_until=timezone.now())


def wake_in() -> timedelta:
    return Wake.objects.get().at - timezone.now()


@pytest.mark.parametrize("busy", ["pushed_at", "push_leased_until"])
def test_who_asks_within_the_window_wakes_the_device_after_it(apple: Apple, busy: str) -> None:
    channel = reachable()
    moment = timezone.now() + (timedelta(seconds=20) if busy == "push_leased_until" else timedelta(0))
    Channel.objects.update(**{busy: moment})
    row = command(channel, "ProfileList")
    waking.wake_channels([channel.pk])

    assert push.push_due() == 0
    assert apple.woken() == []
    assert timedelta(0) < wake_in() <= push.WINDOW

    Command.objects.update(push_at=timezone.now())
    Wake.objects.update(at=timezone.now())
    Channel.objects.update(**{busy: timezone.now() - push.WINDOW})
    assert push.push_due() == 1
    assert apple.woken() == [token(channel)], "one push tells of both"
    assert not Wake.objects.exists()
    assert due_in(row) > timedelta(hours=23)


def test_who_asks_while_a_push_is_out_wakes_the_device_once_more(apple: Apple, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = reachable()
    waking.wake_channels([channel.pk])
    send = push._send

    def asked_again(*arguments: object) -> object:
        waking.wake_channels([channel.pk])
        return send(*arguments)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(push, "_send", asked_again)
    assert push.push_due() == 1
    assert wake_in() <= timedelta(0)
    assert push.push_due() == 0, "not within the window"
    assert timedelta(0) < wake_in() <= push.WINDOW
    assert apple.woken() == [token(channel)]


def test_nobody_is_asked_to_wake_one_whom_no_push_reaches(apple: Apple) -> None:
    """While Apple refuses the certificate they wait; whose token it refuses is not waited for."""
    channel = reachable()
    PushCertificate.objects.update(refused_at=timezone.now())
    waking.wake_channels([channel.pk])
    assert not push.waiting()
    assert push.push_due() == 0
    assert Wake.objects.exists()

    PushCertificate.objects.update(refused_at=None)
    Channel.objects.update(push_refused_at=timezone.now())
    assert push.waiting()
    assert push.push_due() == 0
    assert not Wake.objects.exists()
    assert apple.woken() == []


def test_a_wake_that_failed_is_tried_again_later(apple: Apple) -> None:
    channel = reachable()
    waking.wake_channels([channel.pk])
    apple.answers(channel, 503, "ServiceUnavailable")
    push.push_due()

    assert timedelta(seconds=30) < wake_in() <= timedelta(minutes=1)
    let_patience_end()
    Wake.objects.update(at=timezone.now())
    apple.answers(channel, 200, "")
    push.push_due()
    assert not Wake.objects.exists()


def test_a_wake_of_a_worker_that_died_is_given_back(apple: Apple, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = reachable()
    waking.wake_channels([channel.pk])
    with monkeypatch.context() as patched:
        patched.setattr(push, "_send", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            push.push_due()

    assert timedelta(0) < wake_in() <= LEASE
    Wake.objects.update(at=timezone.now())
    Channel.objects.update(push_leased_until=timezone.now())
    assert push.push_due() == 1
    assert apple.woken() == [token(channel)]


def test_who_has_waited_longest_is_woken_first_with_a_command_or_without(apple: Apple) -> None:
    channels = [reachable(number) for number in range(1, 5)]
    now = timezone.now()
    for minutes, channel in zip((4, 3, 2, 1), channels, strict=True):
        moment = now - timedelta(minutes=minutes)
        if minutes % 2:
            Wake.objects.create(channel=channel, at=moment)
        else:
            row = command(channel, "ProfileList")
            Command.objects.filter(pk=row.pk).update(push_at=moment)

    assert push.push_due(2) == 2
    assert sorted(apple.woken()) == [token(channel) for channel in channels[:2]]
    assert push.push_due(2) == 2
    assert sorted(apple.woken()) == [token(channel) for channel in channels[2:]]


@pytest.mark.parametrize("is_asked_too", [True, False])
def test_the_wipe_of_a_lost_phone_does_not_wait_for_a_fleet(apple: Apple, *, is_asked_too: bool) -> None:
    """Not when Apple had no room for it at first, either."""
    fleet = [reachable(number) for number in range(1, 4)]
    lost = fleet[-1] if is_asked_too else reachable(4)
    for channel in fleet:
        command(channel, "DeviceInformation")
    waking.wake_channels([fleet[0].pk])
    wipe = queue.queue(lost, EraseDevice())
    apple.answers(lost, 503, "ServiceUnavailable")

    assert push.push_due(1) == 1
    assert apple.woken() == [token(lost)]
    apple.answers(lost, 200, "")
    let_patience_end()
    Command.objects.filter(pk=wipe.pk).update(push_at=timezone.now())
    assert push.push_due(1) == 1
    assert apple.woken() == [token(lost)]
    assert due_in(wipe) > timedelta(hours=23)
    assert push.push_due() == len(fleet) - is_asked_too


def test_what_is_urgent_is_found_by_an_index_of_its_own(apple: Apple) -> None:
    command(reachable(1), "DeviceInformation")
    queue.queue(reachable(2), EraseDevice())

    with CaptureQueriesContext(connection) as asked:
        push.push_due()
    (found,) = [query["sql"] for query in asked if '"priority" < 0' in query["sql"]]
    assert "command_push_urgent" in (way := explained(found)), way


@pytest.mark.parametrize(("status", "reason"), [(429, "TooManyRequests"), (503, "ServiceUnavailable")])
def test_what_is_queued_for_a_token_that_apple_has_no_room_for_waits_as_long(
    apple: Apple, status: int, reason: str
) -> None:
    row = command(channel := reachable(), "ProfileList")
    apple.answers(channel, status, reason)
    push.push_due()
    later = command(channel, "SecurityInfo")

    assert push.push_due() == 0
    assert apple.woken() == [token(channel)]
    assert Channel.objects.get().push_failures == 1
    assert timedelta(0) < due_in(later)
    assert Command.objects.filter(pk=later.pk, push_at__lte=Command.objects.get(pk=row.pk).push_at).exists()

    waking.revive(channel)  # another token
    assert push.push_due() == 1


def test_another_machine_whose_clock_is_ahead_is_not_pushed_beside(apple: Apple) -> None:
    ahead = timezone.now() + timedelta(seconds=40)
    pushed, leased = reachable(1), reachable(2)
    Channel.objects.filter(pk=pushed.pk).update(pushed_at=ahead)
    Channel.objects.filter(pk=leased.pk).update(push_leased_until=ahead + LEASE)
    for channel in (pushed, leased):
        command(channel, "ProfileList")

    assert push.push_due() == 0
    assert apple.woken() == []


def test_more_commands_than_a_statement_may_name_are_pushed(apple: Apple, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "SLICE", 2)
    rows = [command(channel := reachable(), "ProfileList"), *(command(channel, "SecurityInfo") for _ in range(4))]

    push.push_due()
    assert apple.woken() == [token(channel)]
    assert all(due_in(row) > timedelta(hours=23) for row in rows)


def test_each_failure_doubles_the_pause_until_one_push_is_taken(apple: Apple) -> None:
    channel = reachable()
    row = command(channel, "ProfileList")
    apple.answers(channel, 503, "ServiceUnavailable")

    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        push.push_due()
        assert timedelta(minutes=minutes - 1) < due_in(row) <= timedelta(minutes=minutes)
        let_patience_end()
        Command.objects.update(push_at=timezone.now())

    apple.answers(channel, 200, "")
    push.push_due()
    assert Channel.objects.get().push_failures == 0


def test_what_was_called_back_wakes_nobody(apple: Apple) -> None:
    channel = reachable()
    row = command(channel, "ProfileList")
    Command.objects.update(state=Command.State.OFFERED)
    Command.objects.all().call_back()

    push.push_due()
    assert apple.woken() == []
    assert due_in(row) > timedelta(hours=23)
