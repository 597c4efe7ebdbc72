"""Tokens that the push service refused: whose fault it was, and how they come to count again."""

import logging
from collections.abc import Sequence
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from devices import tasks
from devices.apns_standin.script import Answer, Script
from devices.models import Channel, Command, Device, Enrollment, PushCertificate
from devices.protocol.push import Outcome
from devices.services import push, waking
from devices.services.push_certificates import PushCredentials
from epmm.models import AuditEntry, Job
from tests.devices.services.pushing import DAY, TOPIC, Apple, due_in, reachable, token
from tests.devices.services.rows import command, device_of, enrolled

pytestmark = pytest.mark.django_db


def refuse(apple: Apple, *channels: Channel) -> None:
    bad = Answer(status=400, reason="BadDeviceToken")
    apple.stand_in.script = Script(answers={token(channel): bad for channel in channels})


def refused(apple: Apple) -> tuple[Channel, Command]:
    row = command(channel := reachable(), "ProfileList")
    refuse(apple, channel)
    push.push_due()
    channel.refresh_from_db()
    assert channel.push_refused_at is not None
    assert apple.woken() == [token(channel)]
    return channel, row


def pushed(apple: Apple, *, known: int) -> tuple[list[Channel], list[Channel]]:
    """So many channels that Apple knows, and just enough that it does not to be strange."""
    good = [reachable(number) for number in range(1, 1 + known)]
    bad = [reachable(number) for number in range(10, 10 + push.STRANGE)]
    for channel in good + bad:
        command(channel, "ProfileList")
    refuse(apple, *bad)
    push.push_due()
    return good, bad


def is_reachable(channel: Channel) -> bool:
    channel.refresh_from_db()
    device = device_of(channel.enrollment)
    assert device.mdm_managed == (device.unreachable_since is None) == (channel.push_refused_at is None)
    return device.mdm_managed


def errors(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [vars(record) for record in caplog.records if record.levelno == logging.ERROR]


# --- The way back -----------------------------------------------------------------------------------------------------


def test_who_has_a_device_woken_has_its_token_tried_again(apple: Apple) -> None:
    channel, _ = refused(apple)
    assert not is_reachable(channel)

    assert waking.wake(device_of(channel.enrollment)) == 1
    assert is_reachable(channel)
    push.push_due()
    assert apple.woken() == [token(channel)]
    assert not is_reachable(channel)  # it was dead, indeed


def test_a_connect_after_the_refusal_has_the_token_tried_once(apple: Apple) -> None:
    channel, row = refused(apple)
    Channel.objects.update(last_seen_at=channel.push_refused_at)
    tasks.revive_heard()
    assert not is_reachable(channel)

    Channel.objects.update(last_seen_at=timezone.now())
    tasks.revive_heard()
    assert is_reachable(channel)
    assert due_in(row) <= timedelta(0)
    assert push.push_due() == 1
    assert apple.woken() == [token(channel)]
    assert not is_reachable(channel)
    assert waking.revive_heard() == 0


def test_a_contact_of_a_clock_that_was_ahead_is_no_connect_after_the_refusal(apple: Apple) -> None:
    """Or its token would be tried each minute until it is that late."""
    refused(apple)
    Channel.objects.update(last_seen_at=timezone.now() + timedelta(hours=1))

    assert waking.revive_heard() == 0


def test_a_token_that_came_while_the_clock_was_ahead_is_refused_like_any_other(apple: Apple) -> None:
    channel = reachable()
    command(channel, "ProfileList")
    Channel.objects.update(token_updated_at=timezone.now() + timedelta(hours=1))
    apple.answers(channel, 410, "Unregistered", at=timezone.now())
    push.push_due()

    assert not is_reachable(channel)


def test_a_refusal_is_as_old_as_its_push_and_the_device_as_long_away_as_apple_says(apple: Apple) -> None:
    """Or a connect in between would have the token tried for ever."""
    channel = reachable()
    command(channel, "ProfileList")
    since = timezone.now() - timedelta(hours=3)
    Channel.objects.update(last_seen_at=timezone.now() - timedelta(hours=1), token_updated_at=since - DAY)
    apple.answers(channel, 410, "Unregistered", at=since)
    push.push_due()

    assert abs(device_of(channel.enrollment).unreachable_since - since) < timedelta(seconds=1)  # type: ignore[operator]
    assert waking.revive_heard() == 0


def test_one_command_has_all_of_them_tried_again(apple: Apple, capsys: pytest.CaptureFixture[str]) -> None:
    channel, row = refused(apple)
    enrollment = enrolled(udid="ended", state=Enrollment.State.ENDED, mdm_managed=False, unreachable_since=row.push_at)
    Channel.objects.filter(enrollment=enrollment).update(push_refused_at=timezone.now())
    PushCertificate.objects.update(refused_at=timezone.now())

    call_command("push", "retry")

    assert "count again: 1." in capsys.readouterr().out
    assert is_reachable(channel)
    assert push.waiting()
    assert not device_of(enrollment).mdm_managed
    entry = AuditEntry.objects.get(action="push.retried")
    assert (entry.subject, entry.details) == (TOPIC, {"tokens": 1})


def test_a_new_certificate_has_all_of_them_tried_again(apple: Apple) -> None:
    channel, _ = refused(apple)
    waking.revive_topic(TOPIC)
    assert not is_reachable(channel)  # thousands are not locked while somebody waits for the page

    assert Job.objects.filter(kind="devices.retry_pushes").exists()
    tasks.retry_pushes()
    assert is_reachable(channel)


def test_many_are_tried_again_by_the_hundred(apple: Apple, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waking, "AT_ONCE", 2)
    channels = [reachable(number) for number in range(1, 6)]
    Channel.objects.update(push_refused_at=timezone.now())
    Device.objects.update(mdm_managed=False, unreachable_since=timezone.now())

    assert waking.retry() == 5
    assert all(is_reachable(channel) for channel in channels)


# --- Whose fault it was -----------------------------------------------------------------------------------------------


def test_a_server_that_knows_no_token_gives_no_device_up(apple: Apple, caplog: pytest.LogCaptureFixture) -> None:
    channels = [reachable(number) for number in range(1, push.STRANGE + 1)]
    rows = [command(channel, "ProfileList") for channel in channels]
    refuse(apple, *channels)
    push.push_due()

    assert all(is_reachable(channel) for channel in channels)
    assert all(timedelta(minutes=14) < due_in(row) <= timedelta(minutes=15) for row in rows)
    (error,) = errors(caplog)
    assert (error["verdict"], error["reasons"], error["server"]) == ("wrong_server", "BadDeviceToken", "localhost")
    command(reachable(99), "ProfileList")
    assert not push.waiting()  # the next ones would fare no better

    apple.stand_in.script = Script()
    PushCertificate.objects.update(refused_at=timezone.now() - timedelta(hours=1))
    Command.objects.update(push_at=timezone.now())
    assert push.push_due() == len(channels) + 1
    assert PushCertificate.objects.get().refused_at is None


def test_that_is_seen_in_batches_of_one_as_well(apple: Apple) -> None:
    channels = [reachable(number) for number in range(1, push.STRANGE + 1)]
    refuse(apple, *channels)
    for channel in channels:
        command(channel, "ProfileList")
        push.push_due()

    assert [is_reachable(channel) for channel in channels] == [False] * (push.STRANGE - 1) + [True]


def test_one_device_that_is_tried_often_accuses_nobody(apple: Apple) -> None:
    channel, _ = refused(apple)
    for _ in range(push.STRANGE):
        waking.retry()
        assert push.push_due() == 1
        assert not is_reachable(channel)


def test_while_some_are_known_the_others_do_not_keep_them_waiting(apple: Apple) -> None:
    good, bad = pushed(apple, known=4)

    assert all(is_reachable(channel) for channel in good + bad)
    command(reachable(99), "ProfileList")
    assert push.waiting()


def test_of_a_fleet_that_is_known_those_that_are_not_are_given_up(apple: Apple) -> None:
    good, bad = pushed(apple, known=7)

    assert [is_reachable(channel) for channel in good + bad] == [True] * 7 + [False] * push.STRANGE


def test_a_late_refusal_of_an_earlier_enrollment_leaves_the_new_one_alone(
    apple: Apple, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = reachable()
    command(old, "ProfileList")
    refuse(apple, old)
    send = push._send

    def enrolled_meanwhile(channels: Sequence[Channel], credentials: PushCredentials) -> Sequence[Outcome]:
        Enrollment.objects.update(state=Enrollment.State.ENDED)
        enrolled(udid="device-1", device=old.enrollment.device)
        return send(channels, credentials)

    monkeypatch.setattr(push, "_send", enrolled_meanwhile)
    push.push_due()

    device = device_of(old.enrollment)
    assert (device.mdm_managed, device.unreachable_since) == (True, None)
