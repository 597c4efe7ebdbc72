"""What goes wrong while reports are read, and what has happened since they came."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from devices.models import ChannelStatus, DeclarationSet, DeclarationState, Device, Enrollment, Result, StatusReport
from devices.models.declaration import OFFER_STANDS
from devices.protocol.declarative.status import StatusReport as Report
from devices.services import declaration_sets, declaration_status, declarations, results
from tests.devices.declarations.reports import (
    fleet,
    read_all,
    system,
    versions,
)
from tests.devices.declarations.rows import (
    PASSCODE,
    announcements,
    answer_commands,
    channel,
    send,
    set_of,
    synchronize,
    work,
)
from tests.devices.declarations.test_set_changes import states_of
from tests.devices.services.rows import information, warnings

pytestmark = pytest.mark.django_db


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
