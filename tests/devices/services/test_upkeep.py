"""Records that nobody needs any more: of devices that left long ago, and second ones of the same device."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices import tasks
from devices.models import Device, Enrollment
from devices.services import duplicates, retired_records
from epmm import jobs, options, schedules, settings_store
from epmm.models import AuditEntry, Job, ScheduledRun
from tests.devices.services import rows

pytestmark = pytest.mark.django_db
WORKER = tasks  # whose import registers what it can do
S = Device.Status


def gone(days: float, status: S = S.RETIRED, **columns: Any) -> Device:
    retired_at = timezone.now() - timedelta(days=days)
    return Device.objects.create(user=rows.person(), status=status, retired_at=retired_at, **columns)


def record(status: S = S.ACTIVE, *, hours: float = 24, **columns: Any) -> Device:
    given = {"user": rows.person(), "platform": "iOS", "registered_at": timezone.now() - timedelta(hours=hours)}
    return Device.objects.create(**given | {"status": status, "mdm_managed": status == S.ACTIVE} | columns)


def work_off(kind: str) -> None:
    for job in Job.objects.open().filter(kind=kind):
        jobs.run(job.kind, job.arguments)
        Job.objects.filter(pk=job.pk).update(done_at=timezone.now())


def set_to(setting: settings_store.Setting[Any], value: str) -> None:
    settings_store.change(setting.name, value, actor="test")


# --- When -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("every", "at"), [("daily", (2026, 11, 26)), ("weekly", (2026, 11, 23)), ("monthly", (2026, 11, 1))]
)
def test_it_runs_after_midnight_of_its_day(every: str, at: tuple[int, int, int]) -> None:
    thursday = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)

    assert schedules.last_time(every, thursday) == datetime(*at, tzinfo=UTC)


def test_what_is_switched_on_waits_for_its_first_midnight() -> None:
    assert not schedules.is_due("x", "off")
    assert not ScheduledRun.objects.exists()
    assert not schedules.is_due("x", "daily")
    ScheduledRun.objects.update(at=timezone.now() - timedelta(days=1))
    assert schedules.is_due("x", "daily")
    assert not schedules.is_due("x", "off")


# --- Retired devices --------------------------------------------------------------------------------------------------


def test_records_of_long_ago_are_deleted_in_bites_and_audited_in_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retired_records, "AT_ONCE", 2)
    for _ in range(4):
        gone(91)
    gone(91, S.WIPED)
    kept = [gone(89), record(), Device.objects.create(user=rows.person(), status=S.EXPIRED)]

    assert retired_records.begin(actor="anna")
    assert not retired_records.begin(actor="berta")  # while it runs
    work_off(retired_records.KIND)
    assert set(Device.objects.all()) == set(kept)
    entry = AuditEntry.objects.get(action=retired_records.KIND)
    assert (entry.actor, entry.details) == ("anna", {"deleted": 5, "days": 90})
    retired_records.delete_all(90)  # heard twice
    assert AuditEntry.objects.filter(action=retired_records.KIND).count() == 1


def test_the_sum_survives_a_worker_that_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retired_records, "AT_ONCE", 2)
    for _ in range(3):
        gone(91)
    retired_records.begin(actor="anna")
    assert retired_records._delete_some(90)

    work_off(retired_records.KIND)
    assert AuditEntry.objects.get(action=retired_records.KIND).details["deleted"] == 3


def test_a_device_that_is_coming_back_stays_and_one_that_comes_late_is_known() -> None:
    coming = gone(91)
    left = gone(91)
    for device, state in ((coming, Enrollment.State.AUTHENTICATED), (left, Enrollment.State.ENDED)):
        rows.enrolled(device=device, state=state)

    retired_records.begin(actor="anna")
    work_off(retired_records.KIND)
    assert list(Device.objects.all()) == [coming]
    assert Enrollment.objects.filter(device=None, state=Enrollment.State.ENDED).exists()


def test_the_worker_deletes_by_itself_when_the_settings_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: now)  # no day ends meanwhile
    gone(91)
    tasks.look_after_records()
    set_to(options.RETIRED_SCHEDULE, "daily")
    tasks.look_after_records()
    assert not Job.objects.filter(kind=retired_records.KIND).exists()

    ScheduledRun.objects.update(at=timezone.now() - timedelta(days=1))
    tasks.look_after_records()
    work_off(retired_records.KIND)
    assert not Device.objects.exists()
    assert AuditEntry.objects.get(action=retired_records.KIND).actor == "worker"
    tasks.look_after_records()
    assert not Job.objects.open().filter(kind=retired_records.KIND).exists()


# --- Duplicates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["serial_number", "udid", "enrollment_id"])
def test_the_older_record_of_a_device_is_the_candidate(key: str) -> None:
    same: dict[str, Any] = {key: "SAME"}
    older, newer = record(S.UNKNOWN, hours=48, **same), record(hours=24, **same)
    record(**dict[str, Any]({key: "OTHER"}))
    record(S.UNKNOWN)  # of whose device nothing is known yet
    record(S.UNKNOWN)

    assert list(duplicates.candidates()) == [older]
    assert getattr(duplicates.with_kept(duplicates.candidates()).get(), duplicates.KEPT) == newer.uuid


@pytest.mark.parametrize("status", Device.PROVISIONAL)
def test_an_enrollment_that_stopped_on_its_way_gives_way_to_the_managed_record(status: S) -> None:
    record(hours=48, serial_number="SAME")
    stuck = record(status, hours=2, serial_number="SAME")

    assert list(duplicates.candidates()) == [stuck]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (S.RETIRED, S.ACTIVE),
        (S.WIPED, S.ACTIVE),
        (S.RETIRE_PENDING, S.ACTIVE),
        (S.WIPE_PENDING, S.ACTIVE),
        (S.LOST, S.ACTIVE),
        (S.ACTIVE, S.RETIRED),
    ],
)
def test_what_is_over_or_under_way_is_left_alone(older: S, newer: S) -> None:
    record(older, hours=48, serial_number="SAME")
    record(newer, hours=24, serial_number="SAME")

    assert not duplicates.candidates().exists()


def test_a_device_that_is_enrolling_again_at_this_moment_is_no_duplicate() -> None:
    record(hours=48, serial_number="SAME")
    record(S.IENROLL_INPROGRESS, hours=0.5, serial_number="SAME")

    assert not duplicates.candidates().exists()


def test_of_several_only_the_best_stays() -> None:
    several = [record(S.UNKNOWN, hours=hours, serial_number="SAME") for hours in (72, 48, 24)]

    assert set(duplicates.candidates()) == set(several[:2])


def test_duplicates_are_retired_with_their_enrollments() -> None:
    enrollment = rows.enrolled(serial_number="SAME", registered_at=timezone.now() - timedelta(days=9))
    newer = rows.enrolled(udid="another", serial_number="SAME", registered_at=timezone.now()).device
    stuck = record(S.IENROLL_VERIFIED, hours=2, serial_number="SAME")
    mac = record(S.UNKNOWN, serial_number="SAME", platform="macOS", hours=99)
    set_to(options.DUPLICATES["macOS"], "nothing")
    assert newer is not None

    duplicates.begin(actor="anna")
    work_off(duplicates.KIND)
    enrollment.refresh_from_db()
    assert (enrollment.state, enrollment.end_reason) == (Enrollment.State.ENDED, duplicates.REASON)
    assert set(Device.objects.filter(status=S.RETIRED)) == {enrollment.device, stuck}
    assert set(Device.objects.exclude(status=S.RETIRED)) == {newer, mac}
    told = AuditEntry.objects.filter(action="device.retired").values_list("actor", "details")
    assert list(told) == [("anna", {"because": duplicates.REASON, "kept": str(newer.uuid)})] * 2
    assert AuditEntry.objects.get(action=duplicates.KIND).details == {"tidied": 2}


def test_duplicates_are_set_aside_where_settings_say_so_and_only_once() -> None:
    set_to(options.DUPLICATES["iOS"], "unknown")
    kept = record(hours=1, serial_number="SAME")
    stuck = record(S.IENROLL_VERIFIED, hours=2, serial_number="SAME")
    in_use = rows.enrolled(serial_number="SAME", registered_at=timezone.now() - timedelta(days=9)).device
    assert in_use is not None

    for _ in range(2):
        duplicates.begin(actor="anna")
        work_off(duplicates.KIND)
    stuck.refresh_from_db()
    assert (stuck.status, stuck.retired_at) == (S.UNKNOWN, None)
    assert set(Device.objects.filter(status=S.ACTIVE)) == {kept, in_use}
    told = AuditEntry.objects.get(action="device.marked_unknown")
    assert (told.subject, told.details) == (str(stuck.uuid), {"because": duplicates.REASON, "kept": str(kept.uuid)})
    assert set(duplicates.candidates()) == {stuck, in_use}


def test_what_was_set_aside_is_retired_once_settings_say_so() -> None:
    record(hours=1, serial_number="SAME")
    aside = record(S.UNKNOWN, hours=2, serial_number="SAME")

    duplicates.begin(actor="anna")
    work_off(duplicates.KIND)
    aside.refresh_from_db()
    assert aside.status == S.RETIRED


def test_a_better_record_that_has_gone_meanwhile_saves_the_older() -> None:
    older = record(S.UNKNOWN, hours=48, serial_number="SAME")
    newer = record(hours=24, serial_number="SAME")
    duplicates.begin(actor="anna")
    newer.status = S.RETIRED
    newer.save()

    duplicates._tidy(older.pk)
    older.refresh_from_db()
    assert older.status == S.UNKNOWN
