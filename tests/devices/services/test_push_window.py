"""Never twice within the window, longer pauses after failures, and clocks that were ahead."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import Channel, Command, PushCertificate, Wake
from devices.protocol.commands import EraseDevice
from devices.services import push, push_certificates, queue, waking
from devices.services.push_pauses import LEASE
from epmm.pipeline import conninfo_of
from tests.devices.services.pushing import DAY, Apple, due_in, reachable, token
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

    Wake.objects.create(channel=channel, at=timezone.now() + YEAR)

    assert waking.after_the_clock_was_ahead() == 1
    assert due_in(row) <= timedelta(0)
    assert wake_in() <= timedelta(0)
    assert due_in(put_off) > timedelta(hours=23)


def test_what_waited_for_a_push_of_the_hour_ahead_is_due(apple: Apple) -> None:
    """Queued by a clock that was right again, put off by one that was not yet."""
    hour = timezone.now() + timedelta(hours=1)
    channel = reachable()
    row = command(channel, "ProfileList")
    Channel.objects.update(pushed_at=hour)
    Command.objects.filter(pk=row.pk).update(push_at=hour)
    wake = Wake.objects.create(channel=channel, at=hour)

    assert waking.after_the_clock_was_ahead() == 1
    wake.refresh_from_db()
    assert wake.at <= timezone.now()
    assert Channel.objects.get().pushed_at is None
    assert push.push_due() == 1
    assert apple.woken() == [token(channel)]
    assert waking.after_the_clock_was_ahead() == 0


@pytest.mark.parametrize(
    ("failures", "ahead", "found"),
    [
        (0, timedelta(minutes=61), 1),
        (0, timedelta(seconds=90), 0),  # another machine's clock may be ahead by so much
        (1, timedelta(minutes=61), 1),
        (1, timedelta(minutes=5), 0),
        (2, timedelta(minutes=10), 0),
        (5, timedelta(minutes=60), 0),
        (9, timedelta(minutes=62), 1),
    ],
)
def test_what_was_leased_while_the_clock_was_ahead_is_due(
    apple: Apple, failures: int, ahead: timedelta, found: int
) -> None:
    """The worker's connection broke before it could say what came of it."""
    until = timezone.now() + ahead
    channel = reachable()
    row = command(channel, "ProfileList")
    Command.objects.filter(pk=row.pk).update(push_at=until)
    Channel.objects.update(push_leased_until=until, push_failures=failures)

    assert waking.after_the_clock_was_ahead() == found
    assert push.push_due() == found
    assert apple.woken() == [token(channel)] * found
    assert waking.after_the_clock_was_ahead() == 0


def test_a_wake_that_was_asked_for_while_the_clock_was_ahead_is_due_once(apple: Apple) -> None:
    hour = timezone.now() + timedelta(hours=1)
    channel = reachable()
    waking.wake_channels([channel.pk])
    assert Wake.objects.get().asked_at is not None
    Wake.objects.update(at=hour, asked_at=hour)

    waking.after_the_clock_was_ahead()
    assert push.push_due() == 1
    assert apple.woken() == [token(channel)]
    assert not Wake.objects.exists()


def test_what_a_device_put_off_while_the_clock_was_ahead_is_due_once(apple: Apple) -> None:
    hour = timezone.now() + timedelta(hours=1)
    channel = reachable()
    row = command(channel, "ProfileList")
    Command.objects.update(state=Command.State.NOT_NOW, not_now_at=hour, push_at=hour + timedelta(minutes=5))

    assert waking.after_the_clock_was_ahead() == 1
    assert push.push_due() == 1
    assert apple.woken() == [token(channel)]
    assert waking.after_the_clock_was_ahead() == 0
    assert due_in(row) > timedelta(hours=23)


def test_more_commands_of_one_channel_than_a_statement_may_name_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "SLICE", 2)
    hour = timezone.now() + timedelta(hours=1)
    channel = reachable()
    for request_type in ("ProfileList", "SecurityInfo", "CertificateList"):
        command(channel, request_type)
    Command.objects.update(push_at=hour)
    Channel.objects.update(pushed_at=hour)

    assert waking.after_the_clock_was_ahead() == 3
    assert Command.objects.filter(push_at__lte=timezone.now()).count() == 3


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_a_channel_whose_command_somebody_holds_is_found_once_more() -> None:
    """Whoever holds it may end without a word of what it was about to write."""
    hour = timezone.now() + timedelta(hours=1)
    channel = reachable()
    row = command(channel, "ProfileList")
    Command.objects.update(push_at=hour)
    Channel.objects.update(push_leased_until=hour)
    with psycopg.connect(conninfo_of(connection.settings_dict, seconds=5)) as other:
        other.execute(f"SELECT FROM {Command._meta.db_table} FOR UPDATE")
        assert waking.after_the_clock_was_ahead() == 0

    assert waking.after_the_clock_was_ahead() == 1
    assert due_in(row) <= timedelta(0)


def test_a_worker_that_died_while_its_clock_was_ahead_keeps_nobody_asleep(apple: Apple) -> None:
    """Which is no patience that Apple has asked for."""
    channel = reachable()
    Channel.objects.update(push_leased_until=timezone.now() + timedelta(minutes=30))
    command(channel, "ProfileList")

    assert push.push_due() == 1
    assert apple.woken() == [token(channel)]


def test_what_was_queued_while_the_clock_was_ahead_is_due_once(apple: Apple) -> None:
    hour = timezone.now() + timedelta(hours=1)
    row, later = command(reachable(1), "ProfileList"), command(reachable(2), "ProfileList")
    Command.objects.filter(pk=row.pk).update(created_at=hour, push_at=hour)
    Command.objects.filter(pk=later.pk).update(push_at=hour)

    assert waking.after_the_clock_was_ahead() == 1
    row.refresh_from_db()
    assert row.created_at <= timezone.now()
    assert push.push_due() == 1
    assert due_in(later) > timedelta(minutes=59)
    assert waking.after_the_clock_was_ahead() == 0


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
