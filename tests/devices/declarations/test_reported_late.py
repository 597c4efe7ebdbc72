"""Reports and answers are read by two threads: of what both tell, whatever came last stands."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device, ManagedApplication, Result
from devices.services import results
from tests.devices.declarations.lists import (
    NOT_AFTER,
    PAGES,
    READER,
    answer,
    app,
    cert,
    certificates_on,
    declared,
    gone,
    held,
    managed,
    mdm,
    versions_on,
)
from tests.devices.declarations.reports import read_all
from tests.devices.declarations.rows import channel, report, send
from tests.devices.services.rows import answered, command
from tests.devices.services.test_reading import certificate

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("full", [True, False])
def test_a_report_that_is_read_late_undoes_no_newer_answer(phone: Device, *, full: bool) -> None:
    der = certificate(NOT_AFTER)
    report(channel(phone), mdm(app(PAGES)) | held(cert("1", der)))
    send(channel(phone), mdm(gone(PAGES), app(READER)) | held(gone("1")) | declared(app("a.b")), FullReport=full)
    answer(phone, "ManagedApplicationList", ManagedApplicationList={PAGES: {"Status": "Updating"}})
    answer(phone, "CertificateList", CertificateList=[{"CommonName": "test", "Data": der}])
    answer(phone, "InstalledApplicationList", InstalledApplicationList=[])

    assert read_all() == [1]

    assert managed(phone) == {PAGES: ("Updating", ""), "a.b": ("Managed", "")}  # no answer lists the second
    assert certificates_on(phone) == {der}
    assert versions_on(phone) == {}


@pytest.mark.parametrize("full", [True, False])
def test_a_report_that_is_read_late_undoes_no_newer_answer_about_one(phone: Device, *, full: bool) -> None:
    send(channel(phone), mdm(gone(READER), app(PAGES)), FullReport=full)
    answer(phone, "InstallApplication", Identifier=READER, State="Queued")

    read_all()

    assert managed(phone) == {READER: ("Queued", ""), PAGES: ("Managed", "")}


def test_an_answer_that_is_read_late_undoes_no_newer_report(phone: Device) -> None:
    old, new = certificate(NOT_AFTER), certificate(NOT_AFTER)
    report(channel(phone), mdm(app(PAGES)) | held(cert("1", old)))
    listed: dict[str, dict[str, Any]] = {
        "ManagedApplicationList": {"ManagedApplicationList": {PAGES: {"Status": "Managed"}}},
        "CertificateList": {"CertificateList": [{"CommonName": "test", "Data": old}]},
        "InstalledApplicationList": {
            "InstalledApplicationList": [
                {"Identifier": PAGES, "ShortVersion": "1.2"},
                {"Identifier": "com.apple.Maps", "ShortVersion": "3"},
            ]
        },
    }
    for request_type, keys in listed.items():
        answer(phone, request_type, is_read=False, **keys)
    report(channel(phone), mdm(gone(PAGES), app(READER)) | held(gone("1"), cert("2", new)))

    results.read_results()
    assert managed(phone).keys() == {READER}
    assert certificates_on(phone) == {new}
    assert versions_on(phone) == {PAGES: "1.2", READER: "1.2", "com.apple.Maps": "3"}  # nobody has denied the last

    for request_type, keys in listed.items():
        answer(phone, request_type, **keys)
    assert managed(phone).keys() == {PAGES}
    assert certificates_on(phone) == {old}
    assert versions_on(phone) == {PAGES: "1.2", "com.apple.Maps": "3"}


def test_a_full_report_that_changes_nothing_keeps_no_answer_out(phone: Device) -> None:
    """It comes every day, and an answer tells more."""
    report(channel(phone), mdm(app(PAGES)), FullReport=True)
    listed = {PAGES: {"Status": "Managed", "ManagementFlags": 1}}
    answer(phone, "ManagedApplicationList", is_read=False, ManagedApplicationList=listed)
    report(channel(phone), mdm(app(PAGES)), FullReport=True)

    results.read_results()

    assert ManagedApplication.objects.get().details == {"ManagementFlags": 1}


def test_a_full_report_corrects_an_earlier_answer_though_it_repeats_itself(phone: Device) -> None:
    report(channel(phone), mdm(app(PAGES)))
    answer(phone, "ManagedApplicationList", ManagedApplicationList={READER: {"Status": "Managed"}})

    report(channel(phone), mdm(app(PAGES)), FullReport=True)

    assert managed(phone).keys() == {PAGES}


def test_late_answers_of_a_clock_that_was_ahead_do_not_hold_up_reports(phone: Device) -> None:
    ahead = timezone.now() + timedelta(hours=3)
    answer(phone, "ManagedApplicationList", at=ahead, ManagedApplicationList={})

    report(channel(phone), mdm(app(PAGES)))

    assert managed(phone).keys() == {PAGES}


def test_how_an_installation_ended_is_told_once_and_not_lost(phone: Device) -> None:
    """The device forgets the application, and reports that, before the worker reads what it had answered."""
    answer(phone, "InstallApplication", Identifier=PAGES, State="Prompting")
    listed = {PAGES: {"Status": "UserRejected"}, "org.example.other": {"Status": "Installing"}}
    answer(phone, "ManagedApplicationList", is_read=False, ManagedApplicationList=listed)
    report(channel(phone), mdm(gone(PAGES), gone("org.example.other"), app(READER)))

    results.read_results()

    assert managed(phone) == {PAGES: ("UserRejected", ""), READER: ("Managed", "")}


@pytest.mark.parametrize(("state", "kept"), [("Installing", "Installing"), ("UserRejected", "UserRejected")])
def test_the_first_moment_of_an_installation_is_no_news_later(phone: Device, state: str, kept: str) -> None:
    answer(phone, "InstallApplication", is_read=False, Identifier=PAGES, State="Prompting")
    report(channel(phone), mdm(app(PAGES, "installing" if state == "Installing" else "user-rejected")))

    results.read_results()

    assert managed(phone) == {PAGES: (kept, "")}


def test_what_an_answer_alone_tells_is_not_lost_to_the_first_report(phone: Device) -> None:
    """Both come with the enrollment, and the worker may be at something else."""
    own, other = certificate(NOT_AFTER), certificate(NOT_AFTER)
    listed = [{"CommonName": "a", "Data": own}, {"CommonName": "b", "Data": other}]
    apps = [{"Identifier": PAGES, "ShortVersion": "1.0"}, {"Identifier": "com.apple.Maps", "ShortVersion": "3"}]
    answer(phone, "CertificateList", is_read=False, CertificateList=listed)
    answer(phone, "InstalledApplicationList", is_read=False, InstalledApplicationList=apps)
    report(channel(phone), mdm(app(PAGES)) | held(cert("1", own)), FullReport=True)

    results.read_results()

    assert certificates_on(phone) == {own, other}
    assert versions_on(phone) == {PAGES: "1.2", "com.apple.Maps": "3"}


def test_what_was_removed_since_an_older_report_stays_removed(phone: Device) -> None:
    report(channel(phone), mdm(app(PAGES)))
    send(channel(phone), mdm(app(PAGES)), FullReport=True)
    removal = answered(command(channel(phone), "RemoveApplication", Identifier=PAGES))
    Result.objects.filter(pk=removal.pk).update(received_at=timezone.now())
    results.read_results()
    assert (managed(phone), versions_on(phone)) == ({}, {})

    read_all()

    assert (managed(phone), versions_on(phone)) == ({}, {})
