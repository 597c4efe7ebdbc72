"""Reports that wait for the worker are read once, and in their order."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from devices import tasks
from devices.models import ChannelStatus, DeclarationSet, DeclarationState, Device, StatusReport
from devices.services import declaration_status
from devices.services.declaration_status import TOGETHER
from epmm import jobs
from tests.devices.declarations.reports import (
    fleet,
    in_a_thread,
    many_of,
    read_all,
    system,
    versions,
    without_an_outbox,
)
from tests.devices.declarations.rows import (
    channel,
    iphone,
    send,
)
from tests.devices.services.rows import NOW, warnings

pytestmark = pytest.mark.django_db


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
        done = another.submit(in_a_thread, declaration_status.read_waiting).result(timeout=60)

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


@pytest.mark.parametrize("after", [-3600, 0, 1, 3])
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
    # none is held up for an hour: that is the clock of another gateway
    assert phone.os_version == ("18.3" if after in (3, -3600) else "18.4")
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
        done = another.submit(in_a_thread, declaration_status.read_reports).result(timeout=60)

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
        writers = [threads.submit(in_a_thread, partial(write, writer)) for writer in ("anna", "bert")]
        readers = [threads.submit(in_a_thread, read) for _ in range(2)]
        sent, done = (sum(one.result(timeout=60) for one in some) for some in (writers, readers))

    assert sent == done == 2 * each * len(devices)
    assert [len(keys) for keys in taken.values()] == [2 * each] * len(devices)
    assert all(keys == sorted(set(keys)) for keys in taken.values())
    assert not declaration_status.waiting()
    last = {f"{writer} {each - 1}" for writer in ("anna", "bert")}
    assert {status.items["said"] for status in ChannelStatus.objects.all()} <= last


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
