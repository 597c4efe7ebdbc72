"""Managed devices are asked for their inventory again, in turns."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices import events, tasks
from devices.models import Command, Device, Enrollment, FinishedCommand
from devices.protocol import commands
from devices.services import inventory_rounds, pace, queue, results
from devices.services.target import target_of
from epmm import jobs, options, settings_store
from epmm.wire import plist
from tests.devices.services.rows import NOW, answered, answered_raw, channel_of, command, device_of, digested, enrolled

pytestmark = pytest.mark.django_db
INVENTORY = ["DeviceInformation", "SecurityInfo", "InstalledApplicationList", "ProfileList", "CertificateList"]
DAY = timedelta(days=1)


def due(number: int = 0, *, last: timedelta = 2 * DAY, asked: timedelta = 2 * DAY, **fields: Any) -> Enrollment:
    """Last heard of its inventory, and last asked for it, so long ago."""
    now = timezone.now()
    enrollment = enrolled(udid=f"device-{number}", **{"inventory_at": now - last, **fields})
    Enrollment.objects.filter(pk=enrollment.pk).update(inventory_asked_at=now - asked)
    return enrollment


def asked(enrollment: Enrollment) -> list[str]:
    rows = Command.objects.filter(channel__enrollment=enrollment).order_by("pk")
    return list(rows.values_list("request_type", flat=True))


def let_pass(**time: int) -> None:
    for row in Enrollment.objects.all():
        Enrollment.objects.filter(pk=row.pk).update(inventory_asked_at=row.inventory_asked_at - timedelta(**time))


def test_an_old_inventory_is_asked_for_once() -> None:
    iphone = due()
    tasks.ask_for_inventories()
    assert asked(iphone) == INVENTORY

    Command.objects.all().delete()  # answered, with errors: the inventory stays as old as it was
    tasks.ask_for_inventories()
    assert asked(iphone) == []

    let_pass(hours=25)
    tasks.ask_for_inventories()
    assert asked(iphone) == INVENTORY


def test_who_was_never_asked_is_asked() -> None:
    """Whatever was enrolled before there was anything to note it in."""
    iphone = enrolled(inventory_at=None)
    with connection.cursor() as cursor:
        table = Enrollment._meta.db_table
        columns = [field.column for field in Enrollment._meta.concrete_fields]
        kept = ", ".join(column for column in columns if column and column not in {"id", "inventory_asked_at"})
        cursor.execute(f"INSERT INTO {table} ({kept}) SELECT {kept} FROM {table}")
    before = Enrollment.objects.exclude(pk=iphone.pk).get()
    channel_of(before)
    tasks.ask_for_inventories()

    assert (asked(iphone), asked(before)) == ([], INVENTORY)


@pytest.mark.parametrize("question", INVENTORY)
def test_who_asks_one_question_every_night_takes_nothing_away_from_the_others(question: str) -> None:
    """All are asked together: that DeviceInformation was answered says nothing of the list of apps."""
    iphone = due(last=timedelta(hours=10))
    answered(command(channel_of(iphone), question), QueryResponses={"OSVersion": "18.4"})
    results.read_results()
    tasks.ask_for_inventories()

    assert asked(iphone) == INVENTORY


def test_what_waits_in_the_queue_is_not_asked_twice() -> None:
    silent = due()
    channel = channel_of(silent)
    for request_type in ("SecurityInfo", "DeviceLock"):
        command(channel, request_type)
    tasks.ask_for_inventories()
    let_pass(hours=25)
    tasks.ask_for_inventories()

    assert sorted(asked(silent)) == sorted([*INVENTORY, "DeviceLock"])


def test_a_question_for_a_part_that_waits_is_no_inventory() -> None:
    silent = due()
    for question, payload in {"ProfileList": {"ManagedOnly": True}, "SecurityInfo": None}.items():
        queue.queue(channel_of(silent), commands.by_name(question, payload, target_of(channel_of(silent))))
    tasks.ask_for_inventories()

    assert sorted(asked(silent)) == sorted([*INVENTORY, "ProfileList"])
    assert [row.is_partial for row in Command.objects.filter(request_type="ProfileList").order_by("pk")] == [
        True,
        False,
    ]


def test_a_question_that_was_called_back_is_asked_again() -> None:
    iphone = due()
    Command.objects.filter(pk=command(channel_of(iphone), "SecurityInfo").pk).update(state=Command.State.CANCELLED)
    tasks.ask_for_inventories()

    assert asked(iphone).count("SecurityInfo") == 2


def test_only_what_its_enrollment_may_be_asked() -> None:
    byod = due(kind=Enrollment.Kind.AAUE)
    limited = due(1, access_rights=8191 - 256)
    mac = due(2, platform=Device.Platform.MACOS)
    channel_of(mac, "a user")
    tasks.ask_for_inventories()

    assert "InstalledApplicationList" in asked(byod)
    assert asked(limited) == [each for each in INVENTORY if each != "InstalledApplicationList"]
    assert asked(mac) == INVENTORY
    (payload,) = {row.payload_id for row in Command.objects.filter(request_type="ProfileList", channel__enrollment=mac)}
    assert payload == Command.objects.get(request_type="ProfileList", channel__enrollment=byod).payload_id


def test_who_has_left_or_is_leaving_is_left_alone() -> None:
    gone = due(state=Enrollment.State.ENDED)
    leaving = due(1, status=Device.Status.RETIRE_PENDING)
    wiped = due(2, status=Device.Status.WIPE_PENDING)
    forgotten = due(3)
    device_of(forgotten).delete()
    lost = due(4, status=Device.Status.LOST)
    tasks.ask_for_inventories()

    assert [asked(each) for each in (gone, leaving, wiped, forgotten, lost)] == [[], [], [], [], INVENTORY]
    assert not Enrollment.objects.active().filter(inventory_asked_at__lt=timezone.now() - DAY).exists()


def test_never_means_never() -> None:
    iphone = due()
    settings_store.change(options.INVENTORY_HOURS.name, "0", actor="test")
    tasks.ask_for_inventories()
    assert asked(iphone) == []

    settings_store.change(options.INVENTORY_HOURS.name, "72", actor="test")
    tasks.ask_for_inventories()
    assert asked(iphone) == []

    settings_store.change(options.INVENTORY_HOURS.name, "47", actor="test")
    tasks.ask_for_inventories()
    assert asked(iphone) == INVENTORY


def test_not_all_in_one_minute_and_who_has_waited_longest_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LEAST", 3)
    monkeypatch.setattr(inventory_rounds, "AT_ONCE", 2)
    fleet = [due(number, asked=timedelta(days=2, hours=number)) for number in range(5)]
    rounds = []
    for _ in range(3):
        tasks.ask_for_inventories()
        rounds.append([number for number, each in enumerate(fleet) if asked(each)])

    assert rounds == [[2, 3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]
    assert Command.objects.count() == 5 * len(INVENTORY)


def test_a_turn_is_a_part_of_the_fleet_and_comes_three_times_as_fast_as_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "LEAST", 1)
    for number in range(20):
        enrolled(udid=f"device-{number}")
    enrolled(udid="gone", state=Enrollment.State.ENDED)

    hours = timedelta(hours=12), timedelta(hours=1)
    assert pace.turn(*hours) == 5
    assert pace.turn(timedelta(days=1), timedelta(minutes=1)) == 1
    monkeypatch.setattr(pace, "LEAST", 8)
    assert pace.turn(*hours) == 8


def test_many_take_the_statements_of_few() -> None:
    counts = []
    for few in (2, 12):
        for number in range(few):
            due(10 * few + number, os_version=f"18.{number}")
        with CaptureQueriesContext(connection) as queries:
            tasks.ask_for_inventories()
        counts.append(len(queries))
        Command.objects.all().delete()

    assert counts[0] == counts[1] + 1  # what the questions say is written once


def test_who_is_due_is_found_by_an_index() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_sort = off")  # which of a few is cheap
    plan = inventory_rounds._due(timezone.now())[:100].explain()

    assert "enrollment_inventory" in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


def test_a_clock_that_was_ahead_silences_nobody() -> None:
    iphone = due(asked=timedelta(days=-400))
    tasks.ask_for_inventories()

    assert asked(iphone) == INVENTORY


def test_answers_as_expected_stand_in_the_record_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fleet answers so every day: an archive of that would be larger than all that anybody asked for."""
    told: list[str] = []
    monkeypatch.setattr(events, "commands_finished", lambda rows: told.extend(row.request_type for row in rows))
    iphone = due()
    tasks.ask_for_inventories()
    row = Command.objects.get(request_type="DeviceInformation")
    result = answered(row, QueryResponses={"OSVersion": "18.4"})
    refused = answered(Command.objects.get(request_type="SecurityInfo"), Command.State.ERROR)
    by_hand = answered(command(channel_of(iphone), "DeviceInformation"), QueryResponses={"OSVersion": "18.5"})
    results.read_results()

    assert (device_of(iphone).os_version, device_of(iphone).inventory_at) == ("18.5", NOW)
    assert not results.waiting()
    assert set(FinishedCommand.objects.values_list("pk", flat=True)) == {refused.pk, by_hand.pk}
    assert not FinishedCommand.objects.filter(pk=result.pk).exists()
    assert told == ["SecurityInfo", "DeviceInformation"]


def test_an_answer_that_cannot_be_read_is_kept() -> None:
    due()
    tasks.ask_for_inventories()
    row = Command.objects.get(request_type="DeviceInformation")
    result = answered_raw(row, b"no property list")
    results.read_results()

    assert digested(result)
    assert FinishedCommand.objects.get().is_routine


def test_what_somebody_sends_is_no_routine() -> None:
    iphone = due()
    queue.queue_first_inventory(iphone)

    assert not Command.objects.filter(is_routine=True).exists()
    body = bytes(Command.objects.get(request_type="ProfileList").rendered)
    assert plist.load_dict(body)["Command"] == {"RequestType": "ProfileList"}


def test_the_worker_comes_each_minute() -> None:
    assert jobs.PERIODIC["devices.ask_for_inventories"] == inventory_rounds.EVERY == timedelta(minutes=1)
