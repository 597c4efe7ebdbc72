"""Which devices are woken and when."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import Channel, Command, Device, Enrollment, PushCertificate
from devices.protocol.push import Outcome
from devices.services import push, push_certificates, waking
from devices.services.push_certificates import PushCredentials
from devices.services.push_pauses import LEASE
from epmm import pipeline
from epmm.logging import LineFormatter
from epmm.models import Job
from tests.devices.services.pushing import DAY, TOPIC, Apple, due_in, reachable, token
from tests.devices.services.rows import command, device_of

pytestmark = pytest.mark.django_db


def test_a_queued_command_wakes_its_device_once(apple: Apple, caplog: pytest.LogCaptureFixture) -> None:
    channel = reachable()
    rows = [command(channel, "ProfileList"), command(channel, "SecurityInfo")]

    assert push.waiting()
    with caplog.at_level(logging.INFO, logger="devices.services.push"):
        assert push.push_due() == 1

    assert apple.woken() == [token(channel)]
    (line,) = [LineFormatter().format(record) for record in caplog.records]
    assert line.endswith(f"a push was tried device={channel.enrollment.device_id} verdict=accepted")
    assert apple.seen == []
    assert all(timedelta(hours=23) < due_in(row) <= DAY for row in rows)
    assert not push.waiting()
    assert push.push_due() == 0


def test_each_channel_is_woken_with_its_own_token(apple: Apple) -> None:
    channels = [reachable(1), reachable(2), reachable(3)]
    for channel in channels:
        command(channel, "ProfileList")

    assert push.push_due() == 3
    assert sorted(apple.woken()) == sorted(token(channel) for channel in channels)


def test_a_second_command_waits_for_the_window(apple: Apple, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "WINDOW", timedelta(minutes=10))  # a shared machine may stand still for seconds
    channel = reachable()
    command(channel, "ProfileList")
    push.push_due()
    apple.woken()
    later = command(channel, "SecurityInfo")

    assert push.push_due() == 0
    assert apple.woken() == []
    assert timedelta(0) < due_in(later) <= push.WINDOW

    Channel.objects.update(pushed_at=timezone.now() - push.WINDOW)
    Command.objects.filter(pk=later.pk).update(push_at=timezone.now())
    assert push.push_due() == 1
    assert apple.woken() == [token(channel)]


def test_a_command_that_is_still_open_after_a_day_wakes_again(apple: Apple) -> None:
    channel = reachable()
    row = command(channel, "ProfileList")
    push.push_due()
    Command.objects.filter(pk=row.pk).update(push_at=timezone.now())
    Channel.objects.update(pushed_at=timezone.now() - DAY)

    assert push.push_due() == 1
    assert apple.woken() == [token(channel)] * 2


@pytest.mark.parametrize(
    "change", [{"push_token": None}, {"push_magic": None}, {"push_refused_at": datetime(2026, 1, 1, tzinfo=UTC)}]
)
def test_who_cannot_be_woken_is_left_alone(apple: Apple, change: dict[str, object]) -> None:
    row = command(channel := reachable(), "ProfileList")
    Channel.objects.filter(pk=channel.pk).update(**change)

    assert push.push_due() == 0
    assert due_in(row) > DAY - timedelta(minutes=1)
    assert not push.waiting()


@pytest.mark.parametrize(
    "change", [{"topic": "com.apple.mgmt.External.lab"}, {"state": Enrollment.State.AUTHENTICATED}]
)
def test_an_enrollment_of_another_topic_or_not_in_force_is_left_alone(apple: Apple, change: dict[str, object]) -> None:
    row = command(reachable(), "ProfileList")
    Enrollment.objects.update(**change)

    assert push.push_due() == 0
    assert due_in(row) > DAY - timedelta(minutes=1)


def test_without_a_certificate_nothing_is_due() -> None:
    push_certificates.clear_cache()
    command(reachable(), "ProfileList")

    assert not push.waiting()
    assert push.push_due() == 0


@pytest.mark.parametrize(("status", "reason"), [(410, "Unregistered"), (410, "ExpiredToken"), (400, "BadDeviceToken")])
def test_a_dead_token_is_noted_and_a_new_one_revives(apple: Apple, status: int, reason: str) -> None:
    row = command(channel := reachable(), "ProfileList")
    apple.answers(channel, status, reason)
    push.push_due()

    channel.refresh_from_db()
    device = device_of(channel.enrollment)
    assert channel.push_refused_at is not None
    assert (device.mdm_managed, device.status) == (False, Device.Status.ACTIVE)
    assert device.unreachable_since is not None
    assert due_in(row) > DAY - timedelta(minutes=1)

    waking.revive(channel)
    assert not Channel.objects.exclude(push_refused_at=None).exists()
    assert push.waiting()
    revived = device_of(channel.enrollment)
    assert (revived.mdm_managed, revived.unreachable_since) == (True, None)


def test_a_new_token_is_pushed_to_though_the_old_one_was(apple: Apple) -> None:
    channel = reachable()
    waiting, put_off = command(channel, "ProfileList"), command(channel, "SecurityInfo")
    push.push_due()
    later = timezone.now() + timedelta(hours=3)
    Command.objects.filter(pk=put_off.pk).update(state=Command.State.NOT_NOW, push_at=later)

    waking.revive(channel)

    assert due_in(waiting) <= timedelta(0)
    assert due_in(put_off) > timedelta(hours=2)  # the device said when it wants to be asked again


@pytest.mark.parametrize("answer", [(410, "Unregistered"), (200, "")])
def test_what_was_put_off_by_its_device_and_pushed_to_a_dead_token_is_due_with_the_new_one(
    apple: Apple, answer: tuple[int, str]
) -> None:
    row = command(channel := reachable(), "ProfileList")
    Command.objects.update(state=Command.State.NOT_NOW)
    apple.answers(channel, *answer)
    push.push_due()

    waking.revive(channel)

    assert due_in(row) <= timedelta(0)


def test_the_devices_of_a_topic_are_due_when_its_certificate_is_installed(apple: Apple) -> None:
    mine, another = command(reachable(1), "ProfileList"), command(reachable(2), "ProfileList")
    Enrollment.objects.update(topic="com.apple.mgmt.External.mistaken")
    assert push.push_due() == 0
    Enrollment.objects.filter(channels=mine.channel).update(topic=TOPIC)

    waking.revive_topic(TOPIC)

    assert due_in(mine) <= timedelta(0)
    assert due_in(another) > timedelta(hours=23)


def test_what_was_queued_since_the_last_good_push_is_due_with_a_new_certificate(apple: Apple) -> None:
    told = command(channel := reachable(), "ProfileList")
    push.push_due()
    untold = command(channel, "SecurityInfo")
    Command.objects.filter(pk=untold.pk).update(push_at=timezone.now() + timedelta(hours=1))

    waking.revive_topic(TOPIC)

    assert due_in(untold) <= timedelta(0)
    assert due_in(told) > timedelta(hours=23)


def test_a_refusal_that_is_older_than_the_token_is_passed_over(apple: Apple) -> None:
    row = command(channel := reachable(), "ProfileList")
    Channel.objects.update(token_updated_at=timezone.now())
    apple.answers(channel, 410, "Unregistered", at=timezone.now() - timedelta(hours=1))
    push.push_due()

    channel.refresh_from_db()
    assert channel.push_refused_at is None
    assert device_of(channel.enrollment).mdm_managed
    assert timedelta(0) < due_in(row) <= timedelta(minutes=1)


def test_a_user_of_a_mac_who_is_gone_leaves_the_mac_alone(apple: Apple) -> None:
    channel = reachable(user_key="F17C470A-3ADC-47EC-A7CC-D432867F4793")
    command(channel, "ProfileList")
    apple.answers(channel, 410, "Unregistered")
    push.push_due()

    channel.refresh_from_db()
    assert channel.push_refused_at is not None
    assert device_of(channel.enrollment).mdm_managed


@pytest.mark.parametrize(
    ("status", "reason", "after"),
    [
        (429, "TooManyRequests", timedelta(minutes=5)),
        (503, "ServiceUnavailable", timedelta(minutes=1)),
        (400, "DeviceTokenNotForTopic", timedelta(hours=1)),
        (400, "BadPriority", timedelta(hours=1)),
    ],
)
def test_what_may_succeed_later_is_tried_later(apple: Apple, status: int, reason: str, after: timedelta) -> None:
    row = command(channel := reachable(), "ProfileList")
    apple.answers(channel, status, reason)
    push.push_due()

    left = due_in(row)
    assert after - timedelta(seconds=30) < left <= after
    assert device_of(channel.enrollment).mdm_managed


def test_a_refused_certificate_stops_all_pushes_and_is_told(
    apple: Apple, caplog: pytest.LogCaptureFixture, certificate: PushCertificate
) -> None:
    channel, other = reachable(1), reachable(2)
    command(channel, "ProfileList")
    apple.answers(channel, 403, "BadCertificate")
    push.push_due()
    command(other, "ProfileList")

    assert not push.waiting()
    assert push.push_due() == 0  # nor is another batch begun
    (record,) = (record for record in caplog.records if record.name == push.__name__ and record.levelname == "ERROR")
    assert vars(record)["reasons"] == "BadCertificate"

    apple.answers(channel, 200, "")
    PushCertificate.objects.update(refused_at=timezone.now() - timedelta(hours=1))
    assert push.waiting()
    push.push_due()
    certificate.refresh_from_db()
    assert certificate.refused_at is None


def test_what_is_queued_while_a_push_is_out_is_due_by_itself(apple: Apple, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = reachable()
    command(channel, "ProfileList")
    send = push._send
    queued: list[Command] = []

    def send_slowly(*arguments: object) -> object:
        queued.append(command(channel, "SecurityInfo"))
        return send(*arguments)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(push, "_send", send_slowly)
    push.push_due()

    assert due_in(queued[0]) <= timedelta(0)


def test_a_worker_that_dies_gives_its_batch_back(apple: Apple, monkeypatch: pytest.MonkeyPatch) -> None:
    row = command(reachable(), "ProfileList")
    with monkeypatch.context() as patched:
        patched.setattr(push, "_send", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            push.push_due()

    left = due_in(row)
    assert timedelta(0) < left <= LEASE
    Command.objects.filter(pk=row.pk).update(push_at=timezone.now())
    Channel.objects.update(push_leased_until=timezone.now())
    assert push.push_due() == 1


def test_devices_can_be_woken_without_anything_to_do(
    apple: Apple, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    channels = [reachable(number) for number in range(1, 40)]
    for channel in channels * 2:
        assert waking.wake(device_of(channel.enrollment)) == 1
    assert not Job.objects.exists(), "a job for each would keep all others waiting"
    assert push.waiting()

    with django_assert_max_num_queries(23):
        assert push.push_due() == 39

    assert sorted(apple.woken()) == sorted(token(channel) for channel in channels)
    assert not push.waiting()


def test_a_batch_takes_as_many_statements_as_one(
    apple: Apple, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(1, 40):
        command(reachable(number), "ProfileList")

    with django_assert_max_num_queries(23):
        assert push.push_due() == 39


@contextmanager
def somebody_at(table: str, pk: int) -> Iterator[None]:
    """Another worker, or the door; whoever waits for it does so in vain."""
    with psycopg.connect(pipeline.conninfo_of(connection.settings_dict, seconds=5)) as another:
        key = "channel_id" if table == "devices_wake" else "id"
        another.execute(f"SELECT FROM {table} WHERE {key} = {pk} FOR UPDATE")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '2s'")  # nothing else would end the wait
        yield
    connection.close()


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["devices_command", "devices_channel", "devices_wake"])
def test_what_another_worker_is_at_holds_nobody_up(apple: Apple, table: str) -> None:
    theirs, ours = reachable(1), reachable(2)
    if table == "devices_wake":
        waking.wake_channels([theirs.pk, ours.pk])
    else:
        row = command(theirs, "ProfileList")
        command(ours, "ProfileList")
    with somebody_at(table, row.pk if table == "devices_command" else theirs.pk):
        assert push.push_due() == 1

    assert apple.woken() == [token(ours)]
    assert push.push_due() == 1
    assert apple.woken() == [token(theirs)]


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_what_the_door_is_at_when_its_push_was_accepted_holds_nobody_up(
    apple: Apple, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [command(reachable(number), "ProfileList") for number in (1, 2)]
    with ExitStack() as door:
        send = push._send

        def answered_meanwhile(channels: Sequence[Channel], credentials: PushCredentials) -> Sequence[Outcome]:
            outcomes = send(channels, credentials)
            door.enter_context(somebody_at("devices_command", rows[0].pk))
            return outcomes

        monkeypatch.setattr(push, "_send", answered_meanwhile)
        assert push.push_due() == 2

    assert due_in(rows[0]) <= LEASE  # once more, if it is still there then
    assert due_in(rows[1]) > timedelta(hours=23)
