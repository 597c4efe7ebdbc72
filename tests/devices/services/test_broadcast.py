"""One command to many devices."""

import plistlib
from hashlib import sha256
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from pytest_django import DjangoAssertNumQueries

from devices import tasks
from devices.models import Broadcast, Command, Device, Enrollment, FinishedCommand, Payload
from devices.services import broadcast, labels, results
from devices.services.queue import CommandRefused
from epmm import jobs
from epmm.models import AuditEntry, Job
from tests.devices.services.rows import answered, channel_of, device_of, enrolled

pytestmark = pytest.mark.django_db
AAUE, MACOS = Enrollment.Kind.AAUE, Device.Platform.MACOS


def fleet(size: int, **given: Any) -> list[Enrollment]:
    return [enrolled(udid=f"{given.get('platform', 'device')}-{number}", **given) for number in range(size)]


def sent(request_type: str = "SecurityInfo", *, payload: dict[str, Any] | None = None, **selection: Any) -> Broadcast:
    row = broadcast.begin(request_type, selection=selection, payload=payload, actor="admin")
    tasks.queue_broadcast(Job.objects.filter(kind="devices.broadcast").latest("pk").arguments["broadcast"])
    row.refresh_from_db()
    return row


def test_each_managed_device_gets_a_command_of_its_own_and_all_share_what_it_says() -> None:
    members = fleet(3)
    channel_of(members[0], "a user of a Mac")
    enrolled(udid="gone", state=Enrollment.State.ENDED)
    row = sent()

    queued = Command.objects.order_by("pk")
    assert [command.channel for command in queued] == [channel_of(each) for each in members]
    assert {command.state for command in queued} == {Command.State.QUEUED}
    assert len({command.uuid for command in queued}) == 3
    assert {command.uuid.version for command in queued} == {4}
    assert Payload.objects.count() == 1
    command = queued[0]
    assert plistlib.loads(command.rendered)["CommandUUID"] == str(command.uuid).upper()
    assert (row.queued, row.refused, row.queued_at is not None) == (3, 0, True)
    assert AuditEntry.objects.get(action="broadcast.begun").subject == str(row.uuid)


@pytest.mark.parametrize("how", ["label", "search"])
def test_the_devices_of_a_label_or_an_expression_get_it(monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    monkeypatch.setattr(broadcast, "BITE", 2)
    *members, _other = fleet(4)
    label = labels.create("Sales", actor="anna")
    for each in members:
        labels.add(label, device_of(each), actor="anna")
        Device.objects.filter(pk=device_of(each).pk).update(comment="for Sales", comment_folded="for sales")
    given: dict[str, Any] = {how: "sales" if how == "label" else 'common.comment = "for Sales"'}
    row = sent(**given)

    assert row.queued == 3
    assert set(Command.objects.values_list("channel", flat=True)) == {channel_of(each).pk for each in members}
    with pytest.raises(CommandRefused, match="nonsense"):
        sent(**given | {how: "nonsense = 1"})


def test_what_differs_is_asked_differently_and_what_cannot_work_is_refused_with_its_reason() -> None:
    fleet(2)
    fleet(1, platform=MACOS)
    enrolled(kind=AAUE, platform=MACOS)
    row = sent("InstalledApplicationList")

    assert (row.queued, row.refused) == (3, 1)
    (sentence,) = row.refusals
    assert "InstalledApplicationList" in sentence
    assert row.refusals[sentence] == 1
    assert Command.objects.count() == 3


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"platform": "macOS"}, 2),
        ({"enrollment_type": "aaue"}, 1),
        ({"user__user_id": "anna"}, 6),
        ({"os_version": "18.2"}, 1),
    ],
)
def test_devices_are_chosen(selection: dict[str, Any], expected: int) -> None:
    fleet(2)
    fleet(2, platform=MACOS)
    enrolled(kind=AAUE)
    enrolled(udid="new", os_version="18.2")

    assert sent(**selection).queued == expected


def test_named_devices_only() -> None:
    chosen, _other = fleet(2)

    assert sent(uuid__in=[str(device_of(chosen).uuid), str(uuid4())]).queued == 1
    assert Command.objects.get().channel == channel_of(chosen)


def test_of_named_devices_the_audit_log_keeps_how_many_and_a_digest() -> None:
    uuids = [str(device_of(each).uuid) for each in fleet(3)]
    sent(uuid__in=uuids[::-1], platform="iOS")

    said = AuditEntry.objects.get(action="broadcast.begun").details["selection"]
    sorted_file = "".join(f"{each}\n" for each in sorted(uuids))
    assert said["uuid__in"] == {"number": 3, "sha256": sha256(sorted_file.encode()).hexdigest()}
    assert said["platform"] == "iOS"


@pytest.mark.parametrize(
    ("uuids", "sentence"),
    [
        ([str(uuid4()) for _ in range(1001)], "up to 1,000: give more of them a label"),
        ([str(uuid4()), "C02XK1"], "C02XK1 is no UUID"),
    ],
    ids=["too many", "a serial number"],
)
def test_devices_are_named_by_their_uuids_and_not_a_whole_fleet_of_them(uuids: list[str], sentence: str) -> None:
    with pytest.raises(CommandRefused, match=sentence):
        broadcast.begin("SecurityInfo", selection={"uuid__in": uuids}, actor="admin")
    assert not Broadcast.objects.exists()


@pytest.mark.parametrize("field", ["user__password", "id", "status"])
def test_devices_are_not_chosen_by_anything_else(field: str) -> None:
    with pytest.raises(CommandRefused, match="not chosen"):
        broadcast.begin("SecurityInfo", selection={field: "x"}, actor="admin")
    assert not Broadcast.objects.exists()


def test_what_says_something_else_to_each_device_goes_to_one_at_a_time() -> None:
    with pytest.raises(CommandRefused, match="one at a time"):
        broadcast.begin("ClearPasscode", selection={}, actor="admin")


@pytest.mark.parametrize(
    ("request_type", "payload", "selection", "sentence"),
    [
        ("DeviceInfomation", None, {}, "Did you mean DeviceInformation?"),
        ("EnableLostMode", None, {}, "EPMM does not send EnableLostMode"),
        ("DeviceLock", {"Mesage": "Call us"}, {}, "Did you mean Message?"),
        ("DeviceLock", {"PIN": "123456"}, {"platform": "iOS"}, "iOS does not know the key PIN"),
        ("DeviceLock", {"Message": "\0"}, {}, "no form as a property list"),
        ("RotateFileVaultKey", {"KeyTyp": "personal"}, {}, "Did you mean KeyType?"),
        ("EraseDevice", None, {"enrollment_type": "aaue"}, "enrolled as a user's own"),
        ("InstallProfile", {"Payload": b"none"}, {}, "This is not a profile"),
    ],
)
def test_what_no_device_could_take_is_told_before_anything_is_written_down(
    request_type: str, payload: dict[str, Any] | None, selection: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(CommandRefused, match=sentence):
        broadcast.begin(request_type, selection=selection, payload=payload, actor="admin")
    assert not Broadcast.objects.exists()


def test_it_goes_on_after_the_last_bite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "BITE", 2)
    fleet(5)
    row = broadcast.begin("SecurityInfo", selection={}, actor="admin")
    assert broadcast._bite(row.pk)  # and then the worker is killed
    row.refresh_from_db()
    assert (row.queued, row.queued_at, broadcast.progress(row).is_complete) == (2, None, False)

    broadcast.work(row.pk)
    broadcast.work(row.pk)

    row.refresh_from_db()
    assert (row.queued, Command.objects.count()) == (5, 5)


def test_what_takes_long_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("epmm.turns.SECONDS", 0.0)
    monkeypatch.setattr(broadcast, "BITE", 2)
    monkeypatch.setattr("devices.models.command.CANCELLED_AT_ONCE", 2)
    fleet(5)
    row = broadcast.begin("SecurityInfo", selection={}, actor="admin")

    for queued in (2, 4, 5):
        in_turn()
        assert Command.objects.count() == queued
    assert not Job.objects.open().filter(kind=broadcast.QUEUE).exists()
    broadcast.cancel(row, actor="admin")
    for left in (3, 1, 0):
        in_turn()
        assert Command.objects.count() == left


def in_turn() -> None:
    """One job as a worker takes it."""
    job = Job.objects.open().filter(kind__in=[broadcast.QUEUE, broadcast.CALL_BACK]).earliest("run_at")
    with Job.leased(job.pk):
        jobs.run(job.kind, job.arguments)


def test_a_bite_takes_as_many_statements_for_many_as_for_one(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for size, platform in ((1, Device.Platform.VISIONOS), (20, MACOS)):
        Enrollment.objects.update(state=Enrollment.State.ENDED)
        fleet(size, platform=platform)
        row = broadcast.begin("SecurityInfo", selection={}, actor="admin")
        broadcast.begin("SecurityInfo", selection={}, actor="admin")
        Payload.objects.all().delete()
        with django_assert_num_queries(10):
            broadcast.work(row.pk)


def test_progress_follows_the_commands() -> None:
    fleet(4)
    row = sent()
    first, second, _third, _fourth = Command.objects.order_by("pk")
    answered(first)
    answered(second, Command.State.ERROR)
    assert (broadcast.progress(row).acknowledged, broadcast.progress(row).failed) == (1, 1)
    results.read_results()
    Command.objects.filter(broadcast=row).earliest("pk")

    told = broadcast.progress(row)
    assert (told.queued, told.open, told.acknowledged, told.failed, told.cancelled) == (4, 2, 1, 1, 0)


def test_what_is_over_is_counted_once_and_outlives_its_commands(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    fleet(2)
    over, running, unread = sent(), sent("ProfileList"), sent("CertificateList")
    for row, number in ((over, 2), (running, 1)):
        for command in Command.objects.filter(broadcast=row).order_by("pk")[:number]:
            answered(command, Command.State.ERROR)
    results.read_results()
    for command in Command.objects.filter(broadcast=unread):
        answered(command)

    tasks.settle_broadcasts()
    outcomes = Broadcast.objects.order_by("pk").values_list("outcome", flat=True)
    assert list(outcomes) == [{str(Command.State.ERROR.value): 2}, None, None]
    FinishedCommand.objects.filter(broadcast=over).delete()
    rows = list(Broadcast.objects.order_by("pk"))
    told = broadcast.progress_of(rows)
    assert [(each.open, each.acknowledged, each.failed) for each in told.values()] == [(0, 0, 2), (1, 0, 1), (0, 2, 0)]
    with django_assert_num_queries(0):
        broadcast.progress_of(rows[:1])


def test_what_is_large_is_counted_by_the_worker(
    django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcast, "LARGE", 3)
    fleet(3)
    row = sent()
    small = sent("ProfileList", os_version="18.2")
    first, *_others = Command.objects.filter(broadcast=row).order_by("pk")
    answered(first)
    tasks.tally_broadcasts()

    rows = list(Broadcast.objects.order_by("pk"))
    assert (rows[0].tally is not None, rows[1].tally) == (True, None)
    with django_assert_num_queries(0):
        told = broadcast.progress_of(rows[:1])[row.pk]
    assert (told.open, told.acknowledged) == (2, 1)
    for command in Command.objects.filter(broadcast=row):
        answered(command)
    assert broadcast.progress(row).open == 0  # who asks for this one alone is told exactly
    assert broadcast.progress_of([small])[small.pk].queued == 0
    tasks.tally_broadcasts()
    assert broadcast.progress_of([Broadcast.objects.get(pk=row.pk)])[row.pk].acknowledged == 3


def test_what_is_still_being_queued_is_not_over() -> None:
    broadcast.begin("SecurityInfo", selection={}, actor="admin")

    tasks.settle_broadcasts()
    assert Broadcast.objects.get().outcome is None


def test_what_is_called_back_reaches_nobody_else() -> None:
    fleet(3)
    row = sent()
    answered(Command.objects.earliest("pk"))
    other = sent("ProfileList")

    assert broadcast.cancel(row, actor="admin") == 2
    broadcast.call_back(row.pk)
    told = broadcast.progress(row)
    assert (told.open, told.cancelled, told.acknowledged) == (0, 2, 1)
    assert broadcast.progress(other).open == 3
    broadcast.work(row.pk)
    assert FinishedCommand.objects.count() == 2


def test_called_back_before_the_worker_came_queues_nothing() -> None:
    fleet(3)
    row = broadcast.begin("SecurityInfo", selection={}, actor="admin")
    broadcast.cancel(row, actor="admin")
    broadcast.work(row.pk)

    assert not Command.objects.exists()
    assert broadcast.progress(row).is_complete


def test_a_wipe_of_many_says_so_on_each_record_until_it_is_called_back() -> None:
    members = fleet(2)
    row = sent("EraseDevice")
    assert {device_of(each).status for each in members} == {Device.Status.WIPE_PENDING}

    broadcast.cancel(row, actor="admin")
    broadcast.call_back(row.pk)
    assert {device_of(each).status for each in members} == {Device.Status.ACTIVE}


def test_what_an_administrator_wrote_down_stands_nowhere_in_clear() -> None:
    fleet(1, platform=MACOS)
    row = sent("DeviceLock", payload={"PIN": "739164"})

    assert row.queued == 1
    assert plistlib.loads(Command.objects.get().rendered)["Command"]["PIN"] == "739164"
    assert "739164" not in str(list(AuditEntry.objects.values())) + str(list(Job.objects.values()))
    with connection.cursor() as cursor:
        cursor.execute("SELECT request FROM devices_broadcast")
        (written,) = cursor.fetchone()
    assert b"739164" not in bytes(written)
