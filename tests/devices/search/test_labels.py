"""Filter labels: an administrator writes criteria, devices come and go, and what is assigned follows them."""

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from devices.models import ConfigurationDelivery, Device, Enrollment, Label
from devices.services import configurations, label_editing, label_members, labels
from devices.services.labels import LabelRefused
from epmm import jobs
from epmm.models import AuditEntry, Job
from tests.devices.configuration.lab import uploaded, work
from tests.devices.configuration.profiles import WIFI
from tests.devices.services.rows import device_of, enrolled

pytestmark = pytest.mark.django_db
OLD = "common.os_version < 18"


@pytest.fixture
def built_in() -> None:
    """A flushed database has lost what its migrations added."""
    Label.objects.all().delete()
    import_module("devices.migrations.0001_squashed_0038_indexes_of_searches").add_labels(apps, None)


def phone(number: int, os_version: str, **columns: Any) -> Enrollment:
    number_of = {"17.4": 17_004_000, "18.2": 18_002_000}[os_version]
    return enrolled(udid=f"device-{number}", os_version=os_version, os_version_number=number_of, **columns)


def label(criteria: str = OLD) -> Label:
    return labels.create("Old", criteria=criteria, actor="anna")


def update_system(enrollment: Enrollment) -> None:
    device = device_of(enrollment)
    device.os_version, device.os_version_number = "18.2", 18_002_000
    device.save(update_fields=["os_version", "os_version_number", "modified_at"])


def run_jobs() -> None:
    for job in Job.objects.filter(done_at=None, kind="devices.evaluate_label"):
        jobs.run(job.kind, job.arguments)
    Job.objects.filter(kind="devices.evaluate_label").update(done_at=timezone.now())
    work()


def wanting() -> set[str]:
    """UDIDs of the devices that are to have the profile."""
    rows = ConfigurationDelivery.objects.filter(wanted__isnull=False)
    return set(rows.values_list("channel__enrollment__udid", flat=True))


def assigned_to(target: Label) -> None:
    configurations.assign(uploaded(WIFI), target, actor="anna")
    run_jobs()


def test_its_criteria_say_who_belongs_to_it() -> None:
    old, _new = phone(1, "17.4"), phone(2, "18.2")
    old_ones = label()
    assert list(label_members.members(old_ones)) == [device_of(old)]

    update_system(old)

    assert not label_members.members(old_ones).exists()
    assert not old_ones.members.exists()


def test_what_is_assigned_follows_the_devices() -> None:
    old, new = phone(1, "17.4"), phone(2, "18.2")
    old_ones = label()
    assigned_to(old_ones)
    assert wanting() == {"device-1"}

    update_system(old)
    Device.objects.filter(pk=device_of(new).pk).update(os_version_number=17_000_000, modified_at=timezone.now())
    label_members.follow_changes()
    run_jobs()

    assert wanting() == {"device-2"}


def test_only_devices_that_changed_are_looked_at() -> None:
    old = phone(1, "17.4")
    old_ones = label()
    assigned_to(old_ones)
    Device.objects.filter(pk=device_of(old).pk).update(os_version_number=18_000_000)  # and nothing says so

    Device.objects.update(modified_at=timezone.now() - timedelta(hours=1))
    label_members.follow_changes()
    run_jobs()
    assert wanting() == {"device-1"}

    label_members.follow_time()
    run_jobs()
    assert wanting() == set()


def test_other_criteria_change_who_has_what_is_assigned() -> None:
    phone(1, "17.4")
    phone(2, "18.2")
    old_ones = label()
    assigned_to(old_ones)

    labels.change_criteria(old_ones, "common.os_version >= 18", actor="anna")
    run_jobs()

    assert wanting() == {"device-2"}
    assert AuditEntry.objects.get(action="label.criteria_changed").details == {"criteria": "common.os_version >= 18"}


def test_without_an_assignment_nothing_is_kept() -> None:
    phone(1, "17.4")
    old_ones = label()
    assigned_to(old_ones)

    configurations.unassign(configurations.find(uploaded(WIFI).identifier), old_ones, actor="anna")
    run_jobs()
    assert wanting() == set()
    assert not old_ones.members.exists()
    old_ones.refresh_from_db()
    assert old_ones.evaluated_at is None


def test_many_changes_are_planned_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_members, "SINGLE", 2)
    monkeypatch.setattr(label_members, "CHUNK", 2)
    old_ones = label()
    assigned_to(old_ones)
    for number in range(5):
        phone(number, "17.4")

    label_members.follow_changes()

    assert [job.kind for job in Job.objects.filter(done_at=None)] == ["devices.plan_configuration"]
    run_jobs()
    assert len(wanting()) == 5


def test_labels_that_nothing_is_assigned_to_cost_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    label()
    phone(1, "17.4")

    with django_assert_num_queries(1):
        label_members.follow_changes()


def test_following_costs_the_same_however_many_devices_changed(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    old_ones = label()
    assigned_to(old_ones)
    for number in range(20):
        phone(number, "18.2")

    with django_assert_num_queries(4):  # which labels; who comes, who goes; when
        label_members.follow_changes()


def test_criteria_of_a_field_that_is_gone_leave_the_members_alone(caplog: pytest.LogCaptureFixture) -> None:
    phone(1, "17.4")
    old_ones = label()
    assigned_to(old_ones)
    Label.objects.filter(pk=old_ones.pk).update(criteria="common.gone = 1")

    label_members.follow_changes()
    label_members.follow_time()

    assert old_ones.members.count() == 1
    assert "not understood" in caplog.text


@pytest.mark.parametrize("criteria", ["", "  ", "common.status = NEVER", "comon.status = ACTIVE"])
def test_criteria_that_say_nothing_are_refused(criteria: str) -> None:
    with pytest.raises(LabelRefused):
        label(criteria)

    assert not Label.objects.filter(name="Old").exists()


def test_devices_are_not_added_by_hand() -> None:
    old_ones, device = label(), device_of(phone(1, "17.4"))

    with pytest.raises(LabelRefused, match="filter label"):
        labels.add(old_ones, device, actor="anna")
    with pytest.raises(LabelRefused, match="filter label"):
        labels.remove(old_ones, device, actor="anna")


def test_a_manual_label_has_no_criteria() -> None:
    with pytest.raises(LabelRefused, match="manual"):
        labels.change_criteria(labels.create("By hand", actor="anna"), OLD, actor="anna")


def test_names_are_known_in_any_case() -> None:
    old_ones = label()

    assert labels.find("OLD") == old_ones
    with pytest.raises(LabelRefused, match="already"):
        labels.create("old", actor="anna")


def test_a_name_is_held_in_any_case_also_by_the_database() -> None:
    labels.create("STRASSE", actor="anna")
    other = labels.create("Other", actor="anna")

    with pytest.raises(LabelRefused, match="There is a label STRASSE already"):
        label_editing.edit(other, name="Straße", description="", actor="anna")
    other.refresh_from_db()
    assert other.name == "Other"
    with pytest.raises(IntegrityError), transaction.atomic():
        Label.objects.create(name="Straße")
    label_editing.edit(labels.find("strasse"), name="Straße", description="", actor="anna")
    assert labels.find("STRASSE").name == "Straße"


def test_two_who_rename_at_once_do_not_get_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    labels.create("Sales", actor="anna")
    other = labels.create("Other", actor="anna")
    monkeypatch.setattr(labels, "_of_any_case", lambda _name: None)  # looked before the other had written

    with pytest.raises(LabelRefused, match="already"):
        label_editing.edit(other, name="SALES", description="", actor="anna")
    assert not AuditEntry.objects.filter(action="label.changed").exists()


def test_namesakes_of_the_time_before_stay_until_they_are_renamed() -> None:
    Label.objects.all().delete()
    Label.objects.bulk_create([Label(name="Sales"), Label(name="sales"), Label(name="Other")])  # as that release did
    migration = import_module("devices.migrations.0023_fold_label_names")
    for _ in range(2):  # broken off, and begun again
        migration.fold(migration.missing(Label.objects.all()))

    folded = Label.objects.order_by("pk").values_list("name", "name_folded")
    assert list(folded) == [("Sales", "sales"), ("sales", ""), ("Other", "other")]
    younger = labels.find("sales")
    with pytest.raises(LabelRefused, match="There is a label Sales already"):
        label_editing.edit(younger, name="sales", description="Ours", actor="anna")
    label_editing.edit(younger, name="Sales 2", description="Ours", actor="anna")
    assert labels.find("SALES 2") == younger
    assert labels.find("SALES").name == "Sales"


def test_a_label_of_the_release_before_is_known_in_any_case_too() -> None:
    Label.objects.bulk_create([Label(name="Sales")])

    assert labels.find("SALES").name == "Sales"
    with pytest.raises(LabelRefused, match="already"):
        labels.create("sales", actor="anna")


@pytest.mark.usefixtures("built_in")
def test_every_installation_has_these(monkeypatch: pytest.MonkeyPatch) -> None:
    today = timezone.now()
    monkeypatch.setattr(timezone, "now", lambda: today)
    phone(1, "18.2", owner="COMPANY", enrollment_failed_at=today)
    phone(2, "18.2", owner="EMPLOYEE", enrollment_failed_at=today - timedelta(days=1))
    phone(3, "17.4", status="RETIRED", mdm_managed=False, retired_reason="user removed management")
    enrolled(kind=Enrollment.Kind.AAUE, platform=Device.Platform.MACOS)

    sizes = {row["name"]: row["devices"] for row in labels.with_sizes() if row["is_built_in"]}

    assert sizes == {
        "Account Driven Device Enrolled": 2,
        "Account Driven User Enrolled": 1,
        "All-Smartphones": 3,
        "Company-Owned": 2,
        "Employee-Owned": 1,
        "Enrollment failed today": 1,
        "Signed-Out": 1,
        "iOS": 2,
        "macOS": 1,
    }


@pytest.mark.usefixtures("built_in")
def test_and_nobody_changes_them() -> None:
    row = labels.find("macos")

    with pytest.raises(LabelRefused, match="built in"):
        labels.change_criteria(row, OLD, actor="anna")
    with pytest.raises(LabelRefused, match="built in"):
        labels.delete(row, actor="anna")


def test_a_label_that_was_there_before_keeps_its_name() -> None:
    Label.objects.all().delete()
    mine = labels.create("ios", actor="anna")

    import_module("devices.migrations.0012_built_in_labels").add(apps, None)

    assert labels.find("ios") == mine
    assert labels.find("iOS (built-in)").is_built_in
