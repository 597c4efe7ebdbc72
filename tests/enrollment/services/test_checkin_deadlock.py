"""A device that is being retired checks out while the worker reads that it removed its profile."""

import threading
from typing import Any

import psycopg
import pytest
from django.db import connection

from devices.models import Command, Enrollment
from devices.services import departure, results, send
from epmm import pipeline
from tests.devices.services.rows import answered, channel_of, command, device_of
from tests.enrollment.phone import Phone
from tests.epmm.processes import eventually
from tests.together import together

pytestmark = [pytest.mark.service("postgresql"), pytest.mark.django_db(transaction=True)]
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def test_a_check_out_that_is_ended_for_the_reader_of_answers_is_done_again(
    phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader has the record and wants the enrollment, the check-out has that and wants the record."""
    phone.enroll()
    Command.objects.all().delete()
    channel = channel_of(phone.enrollment)
    answered(command(channel, "DeviceInformation"), QueryResponses={"DeviceName": "phone"})
    send.send(send.prepare_retirement(device_of(phone.reload())), actor="test")
    answered(Command.objects.get(request_type="RemoveProfile"))
    has_record = threading.Event()
    confirm = departure.confirm

    def confirm_late(*arguments: Any) -> None:
        with connection.cursor() as cursor:  # so that it is the other one who finds the deadlock, and is ended
            cursor.execute("SET LOCAL deadlock_timeout = '60s'")
        with psycopg.connect(pipeline.conninfo_of(connection.settings_dict, seconds=60), autocommit=True) as watcher:
            has_record.set()
            eventually(lambda: watcher.execute(WAITING).fetchone() == (1,))
        confirm(*arguments)

    def check_out() -> object:
        assert has_record.wait(30)
        return phone.send("checkout-adde").status

    monkeypatch.setattr(departure, "confirm", confirm_late)
    assert together(results.read_results, check_out) == [2, 200]
    assert phone.reload().state == Enrollment.State.ENDED
