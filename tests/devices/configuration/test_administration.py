"""Uploading, assigning and removing, as an administrator does it."""

from datetime import timedelta

import pytest

from devices.models import (
    Configuration,
    ConfigurationAssignment,
    ConfigurationDelivery,
    ConfigurationVersion,
    Enrollment,
    Label,
)
from devices.services import configurations, labels, retire
from devices.services.configurations import ConfigurationRefused
from devices.services.labels import LabelRefused
from epmm import jobs
from epmm.models import AuditEntry, Job
from tests import pki
from tests.devices.configuration.lab import State, answer, applied, delivery_of, open_commands, uploaded, work
from tests.devices.configuration.profiles import IDENTIFIER, payload, profile
from tests.devices.services.rows import NOW, PROFILE, device_of, enrolled

pytestmark = pytest.mark.django_db


def test_an_upload_is_the_first_version() -> None:
    raw = pki.sign(profile(), pki.issue("Example Corp"))
    done = configurations.upload(raw, actor="anna")

    assert (done.is_new, done.version.number, done.warnings) == (True, 1, ())
    row = ConfigurationVersion.objects.get()
    assert (bytes(row.content), row.size, row.signer, row.uploaded_by) == (raw, len(raw), "Example Corp", "anna")
    assert row.payloads == [{"type": "com.apple.wifi.managed"}]
    assert Configuration.objects.get().name == "Wi-Fi"
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.subject) == ("configuration.uploaded", "anna", IDENTIFIER)
    assert entry.details == {"version": 1, "signed": True}


def test_the_same_content_again_changes_nothing() -> None:
    uploaded()
    jobs = Job.objects.count()
    done = configurations.upload(profile(), actor="anna")

    assert (done.is_new, done.version.number) == (False, 1)
    assert (ConfigurationVersion.objects.count(), AuditEntry.objects.count(), Job.objects.count()) == (1, 1, jobs)


def test_other_content_is_a_new_version() -> None:
    uploaded()
    done = configurations.upload(profile(edition=2), actor="anna")

    assert (done.is_new, done.version.number) == (True, 2)
    assert Configuration.objects.get().current == done.version
    assert ConfigurationVersion.objects.count() == 2
    assert configurations.upload(profile(), actor="anna").version.number == 3


def test_a_name_may_be_given() -> None:
    configurations.upload(profile(), name="Office", actor="anna")
    uploaded(edition=2)
    assert Configuration.objects.get().name == "Office"
    configurations.upload(profile(edition=2), name="Branch office", actor="anna")

    assert Configuration.objects.get().name == "Branch office"
    assert ConfigurationVersion.objects.count() == 2


def test_the_scope_stays() -> None:
    uploaded()
    with pytest.raises(ConfigurationRefused, match="needs another PayloadIdentifier"):
        uploaded(PayloadScope="User")

    assert ConfigurationVersion.objects.count() == 1


@pytest.mark.parametrize("identifier", [PROFILE, PROFILE.upper()])
def test_the_identifier_of_the_enrollment_is_taken(identifier: str) -> None:
    enrolled()
    with pytest.raises(ConfigurationRefused, match="enrollment profile"):
        uploaded(identifier=identifier)

    assert not Configuration.objects.exists()


def test_a_refusal_stores_nothing() -> None:
    with pytest.raises(ConfigurationRefused, match="This is not a profile"):
        configurations.upload(b"x", actor="anna")

    assert not Configuration.objects.exists()
    assert not AuditEntry.objects.exists()


def test_a_profile_that_removes_itself_is_worth_a_warning() -> None:
    (warning,) = configurations.upload(profile(DurationUntilRemoval=60.0), actor="anna").warnings

    assert "installed again" in warning


def test_an_upload_says_what_each_kind_of_device_makes_of_it() -> None:
    verdicts = configurations.upload(profile(payload("com.apple.vpn.managed")), actor="anna").verdicts

    assert [place for place, verdict in verdicts.items() if verdict.refusal is not None] == [
        "iPhone, iPad of a user's own",
        "Vision Pro of a user's own",
    ]


def test_an_assignment_is_made_once() -> None:
    device, configuration = device_of(enrolled()), uploaded()

    assert configurations.assign(configuration, device, actor="anna")
    assert not configurations.assign(configuration, device, actor="anna")
    assert ConfigurationAssignment.objects.count() == 1
    (entry,) = AuditEntry.objects.filter(action="configuration.assigned")
    assert entry.details == {"device": str(device.uuid)}
    assert configurations.unassign(configuration, device, actor="anna")
    assert not configurations.unassign(configuration, device, actor="anna")
    assert AuditEntry.objects.filter(action="configuration.unassigned").count() == 1


@pytest.mark.parametrize(
    ("kind", "enrollment_kind", "sentence"),
    [
        ("com.apple.app.lock", Enrollment.Kind.ADDE, "needs a supervised device"),
        ("com.apple.vpn.managed", Enrollment.Kind.AAUE, "the whole profile"),
    ],
)
def test_what_a_device_would_refuse_is_not_assigned(kind: str, enrollment_kind: Enrollment.Kind, sentence: str) -> None:
    device = device_of(enrolled(kind=enrollment_kind))
    with pytest.raises(ConfigurationRefused, match=sentence):
        configurations.assign(uploaded(payload(kind)), device, actor="anna")

    assert not ConfigurationAssignment.objects.exists()


def test_nothing_is_assigned_to_a_retired_device() -> None:
    iphone = enrolled()
    retire.end_enrollment(iphone, reason="x", now=NOW)
    with pytest.raises(ConfigurationRefused, match="retired"):
        configurations.assign(uploaded(), device_of(iphone), actor="anna")


def test_a_device_that_is_still_enrolling_may_be_assigned_something() -> None:
    iphone = enrolled(state=Enrollment.State.PENDING)
    assert configurations.assign(uploaded(), device_of(iphone), actor="anna")
    work()

    assert not ConfigurationDelivery.objects.exists()


def test_what_is_assigned_to_a_label_follows_its_members() -> None:
    first, second = enrolled(udid="first"), enrolled(udid="second")
    label, configuration = labels.create("Sales", actor="anna"), uploaded()
    labels.add(label, device_of(first), actor="anna")
    configurations.assign(configuration, label, actor="anna")
    work()
    assert (open_commands(first), open_commands(second)) == (["InstallProfile"], [])
    answer(first)

    labels.add(label, device_of(second), actor="anna")
    labels.remove(label, device_of(first), actor="anna")
    work()
    assert (open_commands(first), open_commands(second)) == (["RemoveProfile"], ["InstallProfile"])

    labels.delete(label, actor="anna")
    work()
    assert open_commands(second) == []
    assert delivery_of(second).state == State.REVOKED


def test_what_two_assignments_bring_stays_when_one_of_them_goes() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    label = labels.create("Sales", actor="anna")
    labels.add(label, device_of(iphone), actor="anna")
    configurations.assign(configuration, label, actor="anna")
    configurations.unassign(configuration, device_of(iphone), actor="anna")
    work()

    assert (open_commands(iphone), delivery_of(iphone).state) == ([], State.APPLIED)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 256])
def test_a_label_has_a_name(name: str) -> None:
    with pytest.raises(LabelRefused, match="The name of a label"):
        labels.create(name, actor="anna")


def test_a_label_is_there_once() -> None:
    labels.create("Sales", actor="anna")
    with pytest.raises(LabelRefused, match="already"):
        labels.create("Sales", actor="anna")

    assert Label.objects.filter(is_built_in=False).count() == 1
    with pytest.raises(LabelRefused, match="There is no label Support"):
        labels.find("Support")


def test_what_is_removed_goes_from_devices_first() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    configurations.remove(configuration, actor="anna")
    work()
    with pytest.raises(ConfigurationRefused, match="There is no configuration"):
        configurations.find(IDENTIFIER)
    configurations.forget_removed()
    assert Configuration.objects.count() == 1

    assert open_commands(iphone) == ["RemoveProfile"]
    answer(iphone)
    configurations.forget_removed()
    assert not Configuration.objects.exists()
    assert not ConfigurationVersion.objects.exists()


def test_nobody_waits_long_for_what_no_device_has() -> None:
    configurations.remove(uploaded(), actor="anna")
    assert jobs.PERIODIC["devices.forget_removed_configurations"] <= timedelta(minutes=1)

    jobs.run("devices.forget_removed_configurations", {})
    assert not Configuration.objects.exists()


def test_what_is_uploaded_again_is_no_longer_removed() -> None:
    iphone = enrolled()
    configuration = applied(iphone)
    configurations.remove(configuration, actor="anna")
    work()
    done = configurations.upload(profile(), actor="anna")

    assert (done.is_new, done.version.number) == (False, 1)
    configurations.forget_removed()
    assert configurations.find(IDENTIFIER) == configuration
