"""Commands that are called back: no device gets them any more, and the answer of one that had it counts."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import Command, Device, FinishedCommand
from devices.models import command as model
from devices.protocol import commands
from devices.services import archive, broadcast, cancelling, queue, results
from epmm.models import Job
from tests.devices.services.rows import answered, channel_of, device_of, enrolled

pytestmark = pytest.mark.django_db
State = Command.State


def erased() -> tuple[Command, Device]:
    enrollment = enrolled()
    row = queue.queue(channel_of(enrollment), commands.EraseDevice())
    return row, device_of(enrollment)


def offered(row: Command) -> None:
    Command.objects.filter(pk=row.pk).update(state=State.OFFERED, offered_at=timezone.now())


def now(device: Device) -> Device:
    return Device.objects.get(pk=device.pk)


def test_what_no_device_has_is_over() -> None:
    row, device = erased()

    cancelling.cancel(device, row.pk, actor="anna")

    assert not Command.objects.exists()
    assert FinishedCommand.objects.get().state == State.CANCELLED
    assert now(device).status == Device.Status.ACTIVE


def test_a_wipe_that_was_called_back_too_late_is_a_wipe() -> None:
    row, device = erased()
    offered(row)

    cancelling.cancel(device, row.pk, actor="anna")
    assert now(device).status == Device.Status.ACTIVE
    with pytest.raises(queue.CommandRefused, match="is finished"):
        cancelling.cancel(device, row.pk, actor="anna")
    answered(Command.objects.get())
    results.read_results()

    assert now(device).status == Device.Status.WIPED
    assert FinishedCommand.objects.get().state == State.ACKNOWLEDGED


def test_an_answer_is_awaited_for_a_month() -> None:
    row, device = erased()
    offered(row)
    cancelling.cancel(device, row.pk, actor="anna")

    archive.await_no_longer(timezone.now() + timedelta(days=29))
    assert Command.objects.exists()
    archive.await_no_longer(timezone.now() + timedelta(days=31))
    assert FinishedCommand.objects.get().state == State.CANCELLED


def test_the_worker_calls_a_broadcast_back_wherever_it_was_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = [device_of(enrolled(udid=f"device-{number}")) for number in range(3)]
    row = broadcast.begin("EraseDevice", selection={}, actor="anna")
    broadcast.work(row.pk)
    monkeypatch.setattr(model, "CANCELLED_AT_ONCE", 1)

    assert broadcast.cancel(row, actor="anna") == 3
    assert broadcast.progress(row).open == 3  # until the worker comes
    (job,) = Job.objects.filter(kind="devices.call_back")
    assert broadcast._call_back_some(job.arguments["broadcast"])  # and then it is killed
    assert sorted(now(device).status for device in devices) == ["ACTIVE", "WIPE_PENDING", "WIPE_PENDING"]

    broadcast.call_back(job.arguments["broadcast"])
    told = broadcast.progress(row)
    assert (told.open, told.cancelled) == (0, 3)
    assert {now(device).status for device in devices} == {"ACTIVE"}


def test_of_a_broadcast_the_devices_that_have_it_are_awaited() -> None:
    for number in range(2):
        enrolled(udid=f"device-{number}")
    row = broadcast.begin("SecurityInfo", selection={}, actor="anna")
    broadcast.work(row.pk)
    offered(Command.objects.earliest("pk"))
    broadcast.cancel(row, actor="anna")
    broadcast.call_back(row.pk)

    assert broadcast.progress(row).cancelled == 2
    answered(Command.objects.get())
    told = broadcast.progress(row)
    assert (told.cancelled, told.acknowledged) == (1, 1)


def test_many_are_called_back_in_as_many_statements_as_one(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for size in (1, 20):
        for number in range(size):
            enrolled(udid=f"device-{size}-{number}")
        row = broadcast.begin("EraseDevice", selection={}, actor="anna")
        broadcast.work(row.pk)
        with django_assert_num_queries(9):
            assert broadcast._call_back_some(row.pk)
