"""What a clock that was ahead left behind keeps no device asleep once it has been put back."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from devices.models import Channel, Command, PushCertificate, Wake
from devices.services import push, waking
from epmm.pipeline import conninfo_of
from tests.devices.services.pushing import DAY, Apple, due_in, reachable, token
from tests.devices.services.rows import command

pytestmark = pytest.mark.django_db
YEAR = timedelta(days=365)


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
    assert Wake.objects.get().at - timezone.now() <= timedelta(0)
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
