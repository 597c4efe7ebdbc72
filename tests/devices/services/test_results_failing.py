"""Answers that cannot be read, and workers that are killed or not alone."""

import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeAlias

import pytest
from django.db import DataError, InternalError, OperationalError, connection, transaction

from devices import tasks
from devices.models import FinishedCommand, Result
from devices.protocol.reading import Reading
from devices.services import installed, inventory, outbox, record, results
from devices.services.outbox import GIVE_UP
from epmm.wire.limits import MOST_ELEMENTS
from tests.devices.services.rows import (
    NOW,
    answered,
    answered_raw,
    channel_of,
    command,
    device_of,
    digested,
    enrolled,
    information,
    warnings,
)

pytestmark = pytest.mark.django_db
Received: TypeAlias = Sequence[tuple[Result, Reading]]


ENDLESS = b"<plist><dict><key>L</key><array>" + b"<true/>" * MOST_ELEMENTS + b"</array></dict></plist>"


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"<plist>", b"no property list", b"bplist00", b"<plist><array/></plist>",
        pytest.param(ENDLESS, id="more elements than anybody reads"),
    ],
)  # fmt: skip
def test_an_answer_that_cannot_be_read_is_set_aside(raw: bytes, caplog: pytest.LogCaptureFixture) -> None:
    enrollment = enrolled()
    row = command(channel_of(enrollment), "DeviceInformation")
    broken = answered_raw(row, raw)
    readable = information(enrollment, OSVersion="18.2")
    Result.objects.filter(pk=readable.pk).update(received_at=NOW - timedelta(minutes=1))

    assert results.read_results() == 2

    assert not results.waiting()
    device = device_of(enrollment)
    assert device.os_version == "18.2"
    assert FinishedCommand.objects.get(pk=broken.pk).body == raw
    (line,) = warnings(caplog)
    assert (vars(line)["command"], vars(line)["error"]) == (str(row.uuid).upper(), "WireError")
    assert line.exc_info is None


def test_a_large_answer_is_read_like_a_small_one() -> None:
    enrollment = enrolled()
    applications = [{"Identifier": f"com.example.{number:0200}"} for number in range(1000)]
    answered(command(channel_of(enrollment), "InstalledApplicationList"), InstalledApplicationList=applications)
    broken = answered_raw(command(channel_of(enrollment), "ProfileList"), b"x" * 100_000)

    assert results.read_results() == 2

    assert device_of(enrollment).applications.count() == 1000
    assert FinishedCommand.objects.get(pk=broken.pk).body == b"x" * 100_000


@pytest.mark.parametrize(("size", "depth"), [(10, 1), (100_000, 0)])
def test_a_large_answer_is_read_before_anything_is_locked(
    size: int, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    depths: list[int] = []
    read = inventory.read

    def noting(result: Result) -> Reading:
        depths.append(len(connection.savepoint_ids))
        return read(result)

    monkeypatch.setattr(inventory, "read", noting)
    enrollment = enrolled()
    information(enrollment, OSVersion="18.2", Filler="x" * size)

    assert results.read_results() == 1

    assert depths == [depth]
    assert device_of(enrollment).os_version == "18.2"


def test_of_an_endless_list_so_much_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "MOST", 3)
    enrollment = enrolled()
    applications = [{"Identifier": f"com.example.{number}"} for number in range(10)]
    answered(command(channel_of(enrollment), "InstalledApplicationList"), InstalledApplicationList=applications)

    results.read_results()

    assert device_of(enrollment).applications.count() == 3


def test_a_record_says_what_could_not_be_read_until_it_can() -> None:
    enrollment = enrolled()
    row = command(channel_of(enrollment), "DeviceInformation")
    answered_raw(row, b"broken")
    results.read_results()
    unread = device_of(enrollment).details["unread"]["DeviceInformation"]
    assert (unread["command"], unread["why"]) == (str(row.uuid), "WireError")

    information(enrollment, OSVersion="18.2")
    results.read_results()

    assert "unread" not in device_of(enrollment).details


def failing(monkeypatch: pytest.MonkeyPatch, broken: Result, error: Exception) -> list[int]:
    """Make the reading of one result fail, as long as the list is empty."""
    mended: list[int] = []
    store = inventory.store

    def fail(received: Received) -> None:
        if broken.pk in {result.pk for result, _ in received} and not mended:
            raise error
        store(received)

    monkeypatch.setattr(inventory, "store", fail)
    return mended


@pytest.mark.parametrize("error", [DataError("quotes the answer"), KeyError("quotes the answer"), RecursionError()])
def test_whatever_goes_wrong_with_one_answer_stops_no_other(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    enrollment = enrolled()
    broken = information(enrollment, OSVersion="1.0")
    information(enrollment, OSVersion="18.2")
    failing(monkeypatch, broken, error)

    assert results.read_results() == 2

    assert digested(broken)
    assert device_of(enrollment).os_version == "18.2"
    assert "quotes" not in caplog.text
    assert vars(warnings(caplog)[0])["at"].partition(":")[0].endswith(".py")


def test_a_database_that_is_away_costs_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    enrollment = enrolled()
    result = information(enrollment, OSVersion="18.2")
    mended = failing(monkeypatch, result, OperationalError())
    for _ in range(GIVE_UP - 1):
        assert results.read_results() == 0
        assert results.waiting()

    mended.append(1)

    assert results.read_results() == 1
    assert device_of(enrollment).os_version == "18.2"


def refused(error: Exception, **told: object) -> Exception:
    """As Django passes on what a driver says."""
    error.__cause__ = Exception()
    vars(error.__cause__).update(told)
    return error


@pytest.mark.parametrize(
    ("error", "is_usable"),
    [
        (refused(OperationalError("database is locked"), sqlite_errorcode=sqlite3.SQLITE_BUSY_SNAPSHOT), True),
        (refused(OperationalError("disk I/O error"), sqlite_errorcode=sqlite3.SQLITE_IOERR_WRITE), True),
        (refused(OperationalError("database or disk is full"), sqlite_errorcode=sqlite3.SQLITE_FULL), True),
        (refused(OperationalError("could not extend file"), sqlstate="53100"), True),
        (OperationalError("server closed the connection"), False),
        (InternalError("terminating connection due to idle-in-transaction timeout"), False),
    ],
)
def test_a_failure_of_the_database_is_no_answers_fault(error: Exception, is_usable: bool) -> None:  # noqa: FBT001
    for version in ("18.1", "18.2"):
        information(enrolled(udid=version), OSVersion=version)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(inventory, "store", lambda *_: (_ for _ in ()).throw(error))
        patched.setattr(connection, "is_usable", lambda: is_usable, raising=False)
        for _ in range(GIVE_UP):
            with pytest.raises(type(error)):
                results.read_results()

    assert results.read_results() == 2


@pytest.mark.parametrize(
    "message",
    [
        "canceling statement due to statement timeout",
        "deadlock detected\nDETAIL:  Process 1 waits for ShareLock on transaction 7; blocked by process 2.",
    ],
)
def test_answers_that_the_database_refuses_do_not_hold_up_the_ones_behind_them(message: str) -> None:
    refused = [information(enrolled(udid=f"refused {number}"), OSVersion="1.0") for number in range(3)]
    readable = information(enrolled(), OSVersion="18.2")
    store = inventory.store

    def refuse(received: Received) -> None:
        if {result.pk for result, _ in received} & {row.pk for row in refused}:
            raise OperationalError(message)
        store(received)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(inventory, "store", refuse)
        assert results.read_results() == 1

    assert digested(readable)


def test_an_answer_that_the_database_refuses_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    enrollment = enrolled()
    broken = information(enrollment, OSVersion="18.2")
    failing(monkeypatch, broken, OperationalError())

    done = [results.read_results() for _ in range(GIVE_UP + 1)]

    assert done == [0] * (GIVE_UP - 1) + [1, 0]
    assert device_of(enrollment).details["unread"]["DeviceInformation"]["why"] == "OperationalError"


def test_failures_of_one_moment_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker looks five times a second: a disk that is full for that long is no answer's fault."""
    monkeypatch.setattr(outbox, "APART", 10)
    enrollment = enrolled()
    mended = failing(monkeypatch, information(enrollment, OSVersion="18.2"), OperationalError())

    assert [results.read_results() for _ in range(GIVE_UP + 1)] == [0] * (GIVE_UP + 1)
    mended.append(1)
    assert results.read_results() == 1
    assert device_of(enrollment).os_version == "18.2"


def test_what_another_worker_has_read_meanwhile_is_left_alone() -> None:
    enrollment = enrolled()
    result = information(enrollment, OSVersion="18.2")
    results.read_results()

    assert not results.read_result(result.pk)
    results._set_aside(result.pk, ValueError())

    assert "unread" not in device_of(enrollment).details


class Killed(BaseException):
    """The worker is gone: nothing that follows in its code runs."""


def test_a_worker_that_is_killed_leaves_the_answer_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    enrollment = enrolled()
    result = information(enrollment, OSVersion="18.2")
    save = record.save

    def die(records: Collection[record.Record]) -> None:
        save(records)
        raise Killed

    monkeypatch.setattr(inventory, "save", die)
    with pytest.raises(Killed):
        results.read_results()
    assert device_of(enrollment).os_version == ""
    assert not digested(result)
    monkeypatch.undo()

    assert results.read_results() == 1

    assert device_of(enrollment).os_version == "18.2"


@pytest.mark.service("postgresql")
@pytest.mark.django_db(transaction=True)
def test_workers_do_not_wait_for_each_other() -> None:
    enrollment = enrolled()
    held, free = information(enrollment, OSVersion="18.1"), information(enrollment, DeviceName="Mac")

    with ThreadPoolExecutor(1) as another, transaction.atomic():
        Result.objects.select_for_update().get(pk=held.pk)
        done = another.submit(_in_a_thread, results.read_results).result(timeout=60)

    assert (done, digested(held), digested(free)) == (1, False, True)
    assert results.read_results() == 1


def _in_a_thread(work: Callable[[], int]) -> int:
    try:
        return work()
    finally:
        connection.close()


def test_the_task_empties_the_outbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "BATCH", 2)
    enrollment = enrolled()
    for _ in range(5):
        information(enrollment, OSVersion="18.2")

    tasks.read_results()

    assert not results.waiting()
