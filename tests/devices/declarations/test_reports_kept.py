"""Reports that wait for the worker: kept before the answer, and so many of them."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from devices.models import ChannelStatus, DeclarationSet, Device, StatusReport
from devices.models.status_report import MOST_UNREAD, REPORTS_KEPT
from devices.services import declaration_status
from devices.services.declaration_status import TOGETHER
from epmm import settings_store
from epmm.gates import Overloaded
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
    set_of,
)
from tests.devices.services.rows import channel_of, device_of, enrolled

pytestmark = pytest.mark.django_db


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
    ahead = timezone.now() + timedelta(minutes=1)
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
            sent = another.submit(in_a_thread, accept)
            assert begun.wait(timeout=60)
            _until_somebody_waits()
            released = timezone.now()
        sent.result(timeout=60)

    assert StatusReport.objects.get().received_at > released


def _until_somebody_waits() -> None:
    """For a lock of ours."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
    with connection.cursor() as cursor:
        for _ in range(6000):
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
            time.sleep(0.01)
    raise AssertionError("nobody waits")


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
