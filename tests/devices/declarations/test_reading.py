"""Reports that wait for the worker: kept before the answer, each read once and in order, and none lost."""

import json
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices import tasks
from devices.models import ChannelStatus, DeclarationSet, DeclarationState, Device, Enrollment, Result, StatusReport
from devices.models.declaration import OFFER_STANDS
from devices.models.status_report import MOST_UNREAD, REPORTS_KEPT
from devices.protocol.declarative.status import StatusReport as Report
from devices.services import declaration_sets, declaration_status, declarations, results
from devices.services.outbox import TOGETHER
from epmm import jobs, settings_store
from epmm.gates import Overloaded
from tests.devices.declarations.rows import (
    PASSCODE,
    announcements,
    answer_commands,
    channel,
    iphone,
    send,
    set_of,
    synchronize,
    work,
)
from tests.devices.declarations.test_set_changes import states_of
from tests.devices.services.rows import NOW, channel_of, device_of, enrolled, information, warnings

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_failures_of_other_tests() -> None:
    declaration_status.OUTBOX.forget()


def system(version: str) -> dict[str, Any]:
    return {"device": {"operating-system": {"version": version}}}


def fleet(size: int, name: str = "phone") -> list[Device]:
    return [iphone(udid=f"{name} {number}", device_name=f"{name} {number}") for number in range(size)]


def versions(devices: Sequence[Device]) -> list[str]:
    return [Device.objects.get(pk=device.pk).os_version for device in devices]


def many_of(device: Device, number: int) -> None:
    """More than are let in, as before there was a limit."""
    body = json.dumps({"StatusItems": system("18.3")}).encode()
    StatusReport.objects.bulk_create([StatusReport(channel=channel(device), body=body) for _ in range(number)])


def read_all() -> list[int]:
    """How many each time."""
    counts = []
    while done := declaration_status.read_reports():
        counts.append(done)
    return counts


# --- Kept -------------------------------------------------------------------------------------------------------------


def test_a_report_is_kept_and_nothing_else_happens(phone: Device) -> None:
    before = timezone.now()
    send(channel(phone), system("18.3"), FullReport=True)

    row = StatusReport.objects.get()
    assert (row.is_read, json.loads(bytes(row.body))["StatusItems"]) == (False, system("18.3"))
    heard = set_of(phone).heard_at
    assert heard is not None
    assert heard == row.received_at >= before
    assert not ChannelStatus.objects.exists()
    assert versions([phone]) == ["18.2"]

    assert read_all() == [1]

    assert ChannelStatus.objects.get().full_at == row.received_at
    assert versions([phone]) == ["18.3"]
    assert not declaration_status.waiting()


def test_a_channel_that_was_never_told_anything_may_report() -> None:
    enrollment = enrolled(os_version="18.2")
    send(channel_of(enrollment), system("18.3"))
    assert DeclarationSet.objects.get().heard_at is not None
    DeclarationSet.objects.all().delete()  # as for one whose system was thought to be too old

    assert read_all() == [1]

    assert device_of(enrollment).os_version == "18.3"
    assert DeclarationSet.objects.get().token != ""


def without_an_outbox(device: Device) -> None:
    """What the release before writes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO devices_statusreport (channel_id, body, received_at) VALUES (%s, %s, %s)",
            [channel(device).pk, b"{}", timezone.now()],
        )


def test_what_a_release_without_an_outbox_writes_has_been_read(phone: Device) -> None:
    without_an_outbox(phone)

    assert StatusReport.objects.get().is_read
    assert not declaration_status.waiting()


def test_no_channel_has_more_than_so_many_waiting(phone: Device) -> None:
    other = iphone(udid="other")
    many_of(phone, MOST_UNREAD - 1)
    send(channel(phone))
    before = set_of(phone).heard_at

    with pytest.raises(Overloaded):
        send(channel(phone))

    assert (StatusReport.objects.count(), set_of(phone).heard_at) == (MOST_UNREAD, before)
    send(channel(other))
    declaration_status.read_reports()
    send(channel(phone))
    assert StatusReport.objects.unread().count() == MOST_UNREAD


def test_when_a_device_was_heard_never_goes_back(phone: Device) -> None:
    """The clocks of a gateway and of its database differ."""
    ahead = timezone.now() + timedelta(seconds=5)
    DeclarationSet.objects.update(heard_at=ahead)

    send(channel(phone))

    assert set_of(phone).heard_at == ahead
    assert StatusReport.objects.get().received_at < ahead


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_a_report_is_of_when_it_was_kept(phone: Device) -> None:
    """Not of when it began to wait for the set: whoever held that has noted a later moment, and a later report."""
    begun = threading.Event()

    def accept() -> int:
        begun.set()
        send(channel(phone))
        return 0

    with ThreadPoolExecutor(1) as another:
        with transaction.atomic():
            DeclarationSet.objects.select_for_update().get(pk=channel(phone).pk)
            sent = another.submit(_in_a_thread, accept)
            assert begun.wait(timeout=10)
            _until_somebody_waits()
            released = timezone.now()
        sent.result(timeout=10)

    assert StatusReport.objects.get().received_at > released


def _until_somebody_waits() -> None:
    """For a lock of ours."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    with connection.cursor() as cursor:
        for _ in range(1000):
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")


# --- In order, and once -----------------------------------------------------------------------------------------------


def test_reports_of_one_channel_are_read_in_their_order_one_at_a_time(phone: Device) -> None:
    other = iphone(udid="other")
    for version in ("18.3", "18.4", "18.5"):
        send(channel(phone), system(version))
    send(channel(other), system("17.7"))

    assert declaration_status.read_reports() == 2
    assert versions([phone, other]) == ["18.3", "17.7"]

    assert read_all() == [1, 1]
    assert versions([phone]) == ["18.5"]


def test_the_two_channels_of_a_mac_in_one_batch(mac: Device) -> None:
    send(channel(mac), system("15.3"))
    send(channel(mac, "user"), system("9.9"))

    assert read_all() == [2]

    mac.refresh_from_db()
    assert mac.os_version == "15.3"
    assert mac.details["users"]["user"]["DeclarativeStatus"]["os_version"] == "9.9"


def test_what_another_worker_has_read_meanwhile_is_left_alone(phone: Device, caplog: pytest.LogCaptureFixture) -> None:
    send(channel(phone), system("18.3"))
    key = StatusReport.objects.get().pk
    read_all()
    Device.objects.update(os_version="18.4")

    assert declaration_status._read([key]) == 0
    declaration_status._set_aside(key, ValueError())

    assert versions([phone]) == ["18.4"]
    assert warnings(caplog) == []


def test_what_one_channel_has_to_say_keeps_no_other_waiting() -> None:
    first, *others = fleet(5)
    many_of(first, 250)
    for device in others:
        send(channel(device), system("17.7"))

    assert declaration_status.read_reports() == 5

    assert versions([first, *others]) == ["18.3", "17.7", "17.7", "17.7", "17.7"]


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_a_channel_whose_set_is_held_keeps_no_other_waiting() -> None:
    first, *others = fleet(3)
    many_of(first, 250)
    for device in others:
        send(channel(device), system("17.7"))

    with ThreadPoolExecutor(1) as another, transaction.atomic():
        DeclarationSet.objects.select_for_update().get(pk=channel(first).pk)
        done = another.submit(_in_a_thread, declaration_status.read_waiting).result(timeout=10)

    assert (done, versions([first, *others])) == (2, ["18.2", "17.7", "17.7"])


def test_a_report_that_was_overtaken_changes_nothing(phone: Device) -> None:
    """While two releases serve: the one before reads at once, and writes later what is read."""
    held = {"configurations": [{"identifier": "p", "active": True, "valid": "valid"}]}
    send(channel(phone), {**system("18.3"), "management": {"declarations": held}}, FullReport=True)
    without_an_outbox(phone)
    send(channel(phone), {"passcode": {"is-present": True}})

    assert read_all() == [1, 1]

    phone.refresh_from_db()
    assert (phone.os_version, phone.passcode_present) == ("18.2", True)
    assert ChannelStatus.objects.get().items == {"passcode.is-present": True}
    assert not DeclarationState.objects.exists()
    assert not declaration_status.waiting()


@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_copy_that_was_held_up_changes_nothing(phone: Device, after: int) -> None:
    """Its device repeated it elsewhere and has said something else since; or it says the same anew."""
    versions = ["18.3", "18.4", "18.3"]
    for version in versions:
        send(channel(phone), system(version))
    first, second, third = StatusReport.objects.order_by("pk")
    for report, seconds in ((first, 0), (second, 2), (third, after)):
        StatusReport.objects.filter(pk=report.pk).update(came_at=NOW + timedelta(seconds=seconds))

    assert read_all() == [1, 1, 1]

    phone.refresh_from_db()
    assert phone.os_version == ("18.3" if after == 3 else "18.4")
    assert not declaration_status.waiting()


def test_what_is_said_twice_at_once_counts(phone: Device) -> None:
    for _ in range(2):
        send(channel(phone), system("18.3"))
    StatusReport.objects.update(came_at=NOW)

    assert read_all() == [1, 1]

    phone.refresh_from_db()
    assert phone.os_version == "18.3"


def test_sets_that_are_missing_are_made_in_the_order_in_which_they_are_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers that make the same ones wait for each other, else."""
    first, second = fleet(2)
    for device in (second, first):
        send(channel(device), system("18.3"))
    DeclarationSet.objects.all().delete()
    made: list[list[int]] = []
    create = DeclarationSet.objects.bulk_create

    def note(rows: list[DeclarationSet], **options: Any) -> list[DeclarationSet]:
        made.append([row.pk for row in rows])
        return create(rows, **options)

    monkeypatch.setattr(DeclarationSet.objects, "bulk_create", note)

    assert read_all() == [2]

    assert made == [[channel(first).pk, channel(second).pk]]


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_workers_do_not_wait_for_each_other_and_overtake_nobody(phone: Device) -> None:
    other = iphone(udid="other")
    for version in ("18.3", "18.4"):
        send(channel(phone), system(version))
    send(channel(other), system("17.7"))

    with ThreadPoolExecutor(1) as another, transaction.atomic():
        DeclarationSet.objects.select_for_update().get(pk=channel(phone).pk)
        done = another.submit(_in_a_thread, declaration_status.read_reports).result(timeout=10)

    assert (done, versions([phone, other])) == (1, ["18.2", "17.7"])
    assert read_all() == [1, 1]
    assert versions([phone]) == ["18.4"]


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_two_that_send_and_two_that_read(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = fleet(2)
    each, taken, take_in = 10, defaultdict[int, list[int]](list), declaration_status._take_in

    def note(arrived: Sequence[declaration_status._Arrived]) -> None:
        take_in(arrived)
        for report in arrived:  # their sets are held
            taken[report.row.pk].append(report.key)

    monkeypatch.setattr(declaration_status, "_take_in", note)

    def write(writer: str) -> int:
        for number in range(each):
            for device in devices:
                send(channel(device), {"said": f"{writer} {number}"})
        return each * len(devices)

    def read() -> int:
        done = 0
        while declaration_status.waiting() or not all(writer.done() for writer in writers):
            done += declaration_status.read_reports()
        return done

    with ThreadPoolExecutor(4) as threads:
        writers = [threads.submit(_in_a_thread, partial(write, writer)) for writer in ("anna", "bert")]
        readers = [threads.submit(_in_a_thread, read) for _ in range(2)]
        sent, done = (sum(one.result(timeout=60) for one in some) for some in (writers, readers))

    assert sent == done == 2 * each * len(devices)
    assert [len(keys) for keys in taken.values()] == [2 * each] * len(devices)
    assert all(keys == sorted(set(keys)) for keys in taken.values())
    assert not declaration_status.waiting()
    last = {f"{writer} {each - 1}" for writer in ("anna", "bert")}
    assert {status.items["said"] for status in ChannelStatus.objects.all()} <= last


def _in_a_thread(work: Callable[[], int]) -> int:
    try:
        return work()
    finally:
        connection.close()


def test_the_worker_empties_the_outbox() -> None:
    devices = fleet(3)
    for device in devices * 2:
        send(channel(device), system("18.3"))
    assert jobs.OUTBOXES["devices.read_status_reports"]()

    tasks.read_status_reports()

    assert not jobs.OUTBOXES["devices.read_status_reports"]()


@pytest.mark.parametrize(("at_once", "left"), [(TOGETHER - 1, 1), (TOGETHER, 0)])
def test_a_few_that_come_meanwhile_are_left_to_be_read_with_others(
    phone: Device, at_once: int, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where many come, the worker does not stop."""
    send(channel(phone))
    found = [at_once, 0]

    def read(sizes: Mapping[int, int]) -> int:
        if left_to_come:
            send(channel(left_to_come.pop()))
        StatusReport.objects.filter(pk__in=sizes).update(is_read=True)
        return found.pop(0) if sizes else 0

    left_to_come = [phone]
    monkeypatch.setattr(declaration_status.OUTBOX, "work", read)

    tasks.read_status_reports()

    assert StatusReport.objects.unread().count() == left


def test_who_comes_meanwhile_waits_for_nobody_who_has_more_to_say(
    phone: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = iphone(udid="other")
    for version in ("18.3", "18.4"):
        send(channel(phone), system(version))
    at_first, work = [other], declaration_status.OUTBOX.work

    def read(sizes: Mapping[int, int]) -> int:
        done = work(sizes)
        if at_first:
            send(channel(at_first.pop()), system("17.7"))
        return done

    monkeypatch.setattr(declaration_status.OUTBOX, "work", read)

    assert declaration_status.read_waiting() == 3

    assert versions([phone, other]) == ["18.4", "17.7"]


def test_each_is_in_the_log(phone: Device, caplog: pytest.LogCaptureFixture) -> None:
    send(channel(phone), {"secret": "secret"})
    caplog.set_level(logging.INFO)

    read_all()

    (line,) = [line for line in caplog.records if line.message == "a status report was read"]
    assert (vars(line)["report"], vars(line)["device"]) == (StatusReport.objects.get().pk, phone.pk)
    assert "secret" not in caplog.text


# --- What goes wrong --------------------------------------------------------------------------------------------------


def test_one_that_cannot_be_read_is_set_aside_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    devices = fleet(3)
    for device in devices:
        send(channel(device), system("18.3"))
    broken = StatusReport.objects.order_by("pk")[1]
    StatusReport.objects.filter(pk=broken.pk).update(body=b'{"StatusItems": "secret"}')

    assert read_all() == [3]

    assert versions(devices) == ["18.3", "18.2", "18.3"]
    assert not declaration_status.waiting()
    (line,) = warnings(caplog)
    assert (vars(line)["report"], vars(line)["device"]) == (broken.pk, devices[1].pk)
    assert vars(line)["error"] == "WireError"
    assert "secret" not in caplog.text


def test_whatever_goes_wrong_with_one_leaves_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = fleet(2)
    for device in devices:
        send(channel(device), system("18.3"))
    bad = channel(devices[0]).pk
    refresh = declaration_sets.refresh

    def fail(channels: Sequence[int], *, announce: bool) -> None:
        if bad in channels:
            raise KeyError
        refresh(channels, announce=announce)

    monkeypatch.setattr(declaration_sets, "refresh", fail)

    assert read_all() == [2]

    assert versions(devices) == ["18.2", "18.3"]
    assert [status.channel_id for status in ChannelStatus.objects.all()] == [channel(devices[1]).pk]


class Killed(BaseException):
    """The worker is gone: nothing that follows in its code runs."""


def test_a_worker_that_is_killed_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = fleet(2)
    for device in devices:
        send(channel(device), system("18.3"))

    def die(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(declaration_sets, "refresh", die)
        with pytest.raises(Killed):
            declaration_status.read_reports()
    assert StatusReport.objects.unread().count() == 2
    assert not ChannelStatus.objects.exists()
    assert versions(devices) == ["18.2", "18.2"]

    assert read_all() == [2]

    assert versions(devices) == ["18.3", "18.3"]


@pytest.mark.parametrize("size", [10, 100_000])
def test_reports_are_parsed_before_anything_is_locked(
    phone: Device, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(channel(phone), {"filler": "x" * size})
    depths: list[int] = []

    class Noting:
        @staticmethod
        def parse(raw: bytes) -> Report:
            depths.append(len(connection.savepoint_ids))
            return Report.parse(raw)

    monkeypatch.setattr("devices.services.declaration_status.StatusReport", Noting)

    assert read_all() == [1]

    assert depths == [0]


# --- What has happened in between -------------------------------------------------------------------------------------


def test_an_enrollment_that_has_ended_since_changes_no_record(phone: Device) -> None:
    send(channel(phone), system("18.3"))
    Enrollment.objects.update(state=Enrollment.State.ENDED)

    assert read_all() == [1]

    assert versions([phone]) == ["18.2"]
    assert StatusReport.objects.get().is_read
    assert announcements(phone) == []


def test_what_a_command_was_answered_since_stands(phone: Device) -> None:
    """Answers and reports are read by two threads, so the answer may be read first."""
    told = {**system("18.3"), "passcode": {"is-present": True}, "softwareupdate": {"install-state": "prepared"}}
    send(channel(phone), told)
    information(phone.enrollments.get(), OSVersion="18.4")
    Result.objects.update(received_at=timezone.now())
    results.read_results()

    read_all()

    phone.refresh_from_db()
    assert (phone.os_version, phone.os_version_number) == ("18.4", 18_004_000)
    assert (phone.passcode_present, phone.os_update_status) == (True, "prepared")
    send(channel(phone), system("18.5"))
    read_all()
    assert versions([phone]) == ["18.5"]


def held_by(phone: Device) -> dict[str, dict[str, Any]]:
    """What the phone holds, while the server remembers to have served something else: it was restored."""
    declarations.put("passcode", PASSCODE, {"MinimumLength": 6}, actor="anna")
    declarations.assign("passcode", [phone], actor="anna")
    work()
    held = synchronize(channel(phone))
    answer_commands()
    DeclarationSet.objects.update(served_token="of the backup")
    return held


def test_a_full_report_does_not_hide_what_was_served_after_it(phone: Device) -> None:
    """It lists what is to be held now, and was not to be held in between."""
    held = held_by(phone)
    send(channel(phone), states_of(held), FullReport=True)
    declarations.put("passcode", PASSCODE, {"MinimumLength": 7}, actor="anna")
    work()
    synchronize(channel(phone))
    declarations.put("passcode", PASSCODE, {"MinimumLength": 6}, actor="anna")
    work()
    answer_commands()
    DeclarationSet.objects.update(asked_at=None)
    served = set_of(phone).served_token

    assert read_all() == [1]

    assert set_of(phone).served_token == served != set_of(phone).token
    assert len(announcements(phone)) == 1


@pytest.mark.parametrize(("since", "is_believed"), [(OFFER_STANDS, True), (timedelta(0), False)])
def test_a_full_report_is_believed_though_its_device_has_spoken_since(
    phone: Device,
    since: timedelta,
    is_believed: bool,  # noqa: FBT001
) -> None:
    """Where its set has been the same for long enough."""
    held = held_by(phone)
    DeclarationSet.objects.update(changed_at=timezone.now() - since)
    send(channel(phone), states_of(held), FullReport=True)
    send(channel(phone))

    assert read_all() == [1, 1]

    assert (set_of(phone).served_token == set_of(phone).token) == is_believed


def test_states_of_what_was_served_before_go_with_what_was_served_after(phone: Device) -> None:
    """An incremental report that is read after the next set was served."""
    held = held_by(phone)
    synchronize(channel(phone))
    send(channel(phone), states_of(held))
    read_all()
    send(channel(phone), states_of(held, without="passcode"))
    declarations.put("passcode", PASSCODE, {"MinimumLength": 7}, actor="anna")
    work()
    synchronize(channel(phone))

    read_all()

    assert not DeclarationState.objects.filter(identifier="passcode").exists()
    assert DeclarationState.objects.filter(identifier="epmm.status").exists()


# --- How much -------------------------------------------------------------------------------------------------------


def test_the_newest_that_were_read_are_kept_and_all_that_are_unread(phone: Device) -> None:
    other = iphone(udid="other")
    send(channel(other))
    for number in range(REPORTS_KEPT + 3):
        send(channel(phone), {"number": number})
    first = list(StatusReport.objects.filter(channel=channel(phone)).order_by("pk").values_list("pk", flat=True))

    for _ in range(REPORTS_KEPT):
        declaration_status.read_reports()
    assert StatusReport.objects.filter(channel=channel(phone)).count() == REPORTS_KEPT + 3
    read_all()

    kept = StatusReport.objects.filter(channel=channel(phone)).order_by("pk")
    assert list(kept.values_list("pk", flat=True)) == first[-REPORTS_KEPT:]
    assert StatusReport.objects.filter(channel=channel(other)).count() == 1


def test_many_reports_cost_the_statements_of_one() -> None:
    def cost(size: int) -> int:
        devices = fleet(size, f"of {size}")
        for number, device in enumerate(devices):
            held = [{"identifier": f"p{each}", "active": True, "valid": "valid"} for each in range(2)]
            items: dict[str, Any] = {
                "management": {"declarations": {"configurations": held}},
                **system(f"18.{number % 5}"),
            }
            send(channel(device), items, FullReport=number % 2 == 0)
        settings_store.clear_cache()
        with CaptureQueriesContext(connection) as captured:
            assert read_all() == [size]
        return len(captured)

    cost(2)

    assert cost(1) == cost(TOGETHER) <= 30
