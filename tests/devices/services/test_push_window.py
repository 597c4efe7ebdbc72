"""Never twice within the window, longer pauses after failures, and clocks that were ahead."""

from datetime import timedelta

import pytest
from django.utils import timezone

from devices.models import Channel, Command, PushCertificate
from devices.services import push, push_certificates
from epmm.models import Job
from tests.devices.services.pushing import DAY, Apple, due_in, reachable, token
from tests.devices.services.rows import command

pytestmark = pytest.mark.django_db
YEAR = timedelta(days=365)


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


def asked_to_wake(channel: Channel) -> list[Job]:
    """The job runs; what is left to do afterwards."""
    push.wake_channel(channel.pk)
    return list(Job.objects.open().filter(kind="devices.wake"))


@pytest.mark.parametrize("busy", ["pushed_at", "push_leased_until"])
def test_who_asks_within_the_window_wakes_the_device_after_it(apple: Apple, busy: str) -> None:
    channel = reachable()
    moment = timezone.now() + (timedelta(seconds=20) if busy == "push_leased_until" else timedelta(0))
    Channel.objects.update(**{busy: moment})
    row = command(channel, "ProfileList")

    (job,) = asked_to_wake(channel)
    assert apple.woken() == []
    assert timedelta(0) < job.run_at - timezone.now() <= push.WINDOW
    assert due_in(row) <= timedelta(0)

    job.delete()
    Channel.objects.update(**{busy: timezone.now() - push.WINDOW})
    assert asked_to_wake(channel) == []
    assert apple.woken() == [token(channel)]
    assert asked_to_wake(channel)[0].arguments == {"channel": channel.pk}
    assert apple.woken() == []


def test_nobody_is_asked_to_wake_one_whom_no_push_reaches(apple: Apple) -> None:
    """While Apple refuses the certificate, or the token: the alarm of that is what there is to be done."""
    channel = reachable()
    PushCertificate.objects.update(refused_at=timezone.now())
    assert asked_to_wake(channel) == []

    PushCertificate.objects.update(refused_at=None)
    Channel.objects.update(push_refused_at=timezone.now())
    assert asked_to_wake(channel) == []
    assert apple.woken() == []


def test_each_failure_doubles_the_pause_until_one_push_is_taken(apple: Apple) -> None:
    channel = reachable()
    row = command(channel, "ProfileList")
    apple.answers(channel, 503, "ServiceUnavailable")

    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        push.push_due()
        assert timedelta(minutes=minutes - 1) < due_in(row) <= timedelta(minutes=minutes)
        Command.objects.update(push_at=timezone.now())

    apple.answers(channel, 200, "")
    push.push_due()
    assert Channel.objects.get().push_failures == 0


def test_what_was_pushed_while_the_clock_was_ahead_does_not_keep_back_what_is_new(apple: Apple) -> None:
    channel = reachable()
    Channel.objects.update(pushed_at=timezone.now() + YEAR, push_leased_until=timezone.now() + YEAR)
    command(channel, "ProfileList")

    push.push_due()
    assert apple.woken() == [token(channel)]


def test_what_was_put_off_while_the_clock_was_ahead_is_due(apple: Apple) -> None:
    channel = reachable()
    row, put_off = command(channel, "ProfileList"), command(channel, "SecurityInfo")
    Command.objects.filter(pk=row.pk).update(push_at=timezone.now() + YEAR)
    Command.objects.filter(pk=put_off.pk).update(push_at=timezone.now() + DAY)

    assert push.after_the_clock_was_ahead() == 1
    assert due_in(row) <= timedelta(0)
    assert due_in(put_off) > timedelta(hours=23)


def test_what_waited_for_a_push_of_the_hour_ahead_is_due(apple: Apple) -> None:
    """Queued by a clock that was right again, put off by one that was not yet."""
    hour = timezone.now() + timedelta(hours=1)
    channel = reachable()
    row = command(channel, "ProfileList")
    Channel.objects.update(pushed_at=hour)
    Command.objects.filter(pk=row.pk).update(push_at=hour)
    Job.objects.create(kind="epmm.heartbeat", done_at=hour)

    assert push.after_the_clock_was_ahead() == 1
    assert push.push_due() == 1
    assert apple.woken() == [token(channel)]
    assert push.after_the_clock_was_ahead() == 0


@pytest.mark.parametrize(("ahead", "found"), [(timedelta(hours=1), 1), (timedelta(0), 0)])
def test_what_was_queued_while_the_clock_was_ahead_is_due(apple: Apple, ahead: timedelta, found: int) -> None:
    """The worker did something then, which is how it knows."""
    hour = timezone.now() + timedelta(hours=1)
    row, later = command(reachable(1), "ProfileList"), command(reachable(2), "ProfileList")
    Command.objects.filter(pk=row.pk).update(created_at=hour, push_at=hour)
    Command.objects.filter(pk=later.pk).update(push_at=hour)
    Job.objects.create(kind="epmm.heartbeat", done_at=timezone.now() + ahead)

    assert push.after_the_clock_was_ahead() == found
    assert push.push_due() == found
    assert due_in(later) > timedelta(minutes=59)


@pytest.mark.usefixtures("apple")
def test_a_refusal_while_the_clock_was_ahead_stops_nothing() -> None:
    PushCertificate.objects.update(refused_at=timezone.now() + YEAR)
    command(reachable(), "ProfileList")

    assert push.waiting()


def test_what_was_called_back_wakes_nobody(apple: Apple) -> None:
    channel = reachable()
    row = command(channel, "ProfileList")
    Command.objects.update(state=Command.State.OFFERED)
    Command.objects.all().call_back()

    push.push_due()
    assert apple.woken() == []
    assert due_in(row) > timedelta(hours=23)
