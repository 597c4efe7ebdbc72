"""Lists of status reports feed the tables of what is on a device, beside the answers to commands."""

import base64
import hashlib
import json
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from devices.models import (
    ChannelStatus,
    Device,
    Enrollment,
    InstalledApplication,
    InstalledCertificate,
    ManagedApplication,
)
from devices.services import declaration_status, results
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
from tests.devices.declarations.reports import fleet, read_all
from tests.devices.declarations.rows import channel, iphone, report, send
from tests.devices.services.rows import answered, command
from tests.devices.services.test_reading import certificate

pytestmark = pytest.mark.django_db


# --- Applications -----------------------------------------------------------------------------------------------------


def test_applications_come_change_and_go(phone: Device) -> None:
    report(channel(phone), mdm(app(PAGES, "installing"), app(READER)))
    assert managed(phone) == {PAGES: ("Installing", ""), READER: ("Managed", "")}
    assert versions_on(phone) == {READER: "1.2"}  # of what is being installed no version is certain

    report(channel(phone), mdm(app(PAGES, **{"short-version": "14.3"}), gone(READER), gone("never.there")))

    assert managed(phone) == {PAGES: ("Managed", "")}
    assert versions_on(phone) == {PAGES: "14.3", READER: "1.2"}  # managed no more, and perhaps still there


def test_what_is_not_repeated_stands_until_a_full_report(phone: Device) -> None:
    report(channel(phone), mdm(app(PAGES), app(READER)))

    report(channel(phone), mdm(app(READER, "updating")))
    assert managed(phone) == {PAGES: ("Managed", ""), READER: ("Updating", "")}
    report(channel(phone), {"passcode": {"is-present": True}})
    assert managed(phone).keys() == {PAGES, READER}

    report(channel(phone), mdm(app(READER)), FullReport=True)
    assert managed(phone) == {READER: ("Managed", "")}


@pytest.mark.parametrize("full", [True, False])
def test_an_application_that_its_user_deleted_is_not_installed(phone: Device, *, full: bool) -> None:
    report(channel(phone), mdm(app(PAGES), app(READER)))

    report(channel(phone), mdm(app(PAGES), app(READER, "managed-but-uninstalled")), FullReport=full)

    assert managed(phone) == {PAGES: ("Managed", ""), READER: ("ManagedButUninstalled", "")}
    assert versions_on(phone) == {PAGES: "1.2"}


def test_what_only_answers_tell_stands(phone: Device) -> None:
    listed = {"Status": "Installing", "ManagementFlags": 5, "ExternalVersionIdentifier": 1}
    answer(phone, "ManagedApplicationList", ManagedApplicationList={READER: listed})
    on_it = {"Identifier": READER, "Name": "Reader", "Version": "6", "ShortVersion": "1.1", "BundleSize": 9, "x": 1}
    answer(phone, "InstalledApplicationList", InstalledApplicationList=[on_it])

    report(channel(phone), mdm({"identifier": READER, "version": "7", "external-version-id": "2", "state": "managed"}))

    row = ManagedApplication.objects.get()
    assert (row.state, row.details) == ("Managed", {"ManagementFlags": 5, "ExternalVersionIdentifier": 2})
    found = InstalledApplication.objects.get()
    assert (found.name, found.version, found.short_version) == ("Reader", "7", "1.1")
    assert (found.bundle_size, found.details) == (9, {"x": 1})

    report(channel(phone), mdm({"identifier": READER}))
    assert managed(phone) == {READER: ("Managed", "")}


def test_why_an_application_was_refused_stands_while_its_state_does(phone: Device) -> None:
    answer(phone, "InstallApplication", Identifier=READER, State="Failed", RejectionReason="NotAnApp")
    report(channel(phone), mdm(app(READER, "failed")))
    assert managed(phone) == {READER: ("Failed", "NotAnApp")}

    report(channel(phone), mdm(app(READER)))

    assert managed(phone) == {READER: ("Managed", "")}


def test_a_refusal_that_is_told_once_stands_until_there_is_news(phone: Device) -> None:
    report(channel(phone), mdm(app(PAGES, "user-rejected"), app(READER)))

    report(channel(phone), mdm(app(READER), gone(PAGES)))
    report(channel(phone), mdm(app(READER)), FullReport=True)
    assert managed(phone) == {PAGES: ("UserRejected", ""), READER: ("Managed", "")}
    report(channel(phone), mdm(app(PAGES)))
    report(channel(phone), mdm(gone(PAGES)))

    assert managed(phone) == {READER: ("Managed", "")}


def test_applications_of_declarations_stand_apart(phone: Device) -> None:
    """ManagedApplicationList and `mdm.app` do not list them."""
    why = [{"code": "Info.UpdateAvailable"}, {"code": "Error.LicenseNotFound", "description": "none left"}]
    failed = {"identifier": READER, "state": "failed", "declaration-identifier": "reader", "reasons": why}
    report(channel(phone), mdm(app(PAGES)) | declared(failed, app("org.example.notes", "optional")))
    assert managed(phone) == {
        PAGES: ("Managed", ""),
        READER: ("Failed", "Error.LicenseNotFound"),
        "org.example.notes": ("Optional", ""),
    }
    row = ManagedApplication.objects.get(identifier=READER)
    assert row.is_declared
    assert row.details == {"declaration-identifier": "reader", "reasons": why}

    answer(phone, "ManagedApplicationList", ManagedApplicationList={})
    report(channel(phone), mdm(), FullReport=False)
    assert managed(phone).keys() == {READER, "org.example.notes"}

    report(channel(phone), declared(app(READER, **{"external-version-id": "3"})) | mdm(app(PAGES)), FullReport=True)
    assert managed(phone) == {PAGES: ("Managed", ""), READER: ("Managed", "")}
    assert ManagedApplication.objects.get(identifier=READER).details == {"ExternalVersionIdentifier": 3}


def test_orders_leave_what_a_declaration_manages_alone(phone: Device) -> None:
    report(channel(phone), mdm(app(PAGES, "user-rejected")))
    report(channel(phone), declared(app(PAGES)))
    assert managed(phone) == {PAGES: ("Managed", "")}, "refused once, and managed all the same"

    answer(phone, "InstallApplication", Identifier=PAGES, State="Queued")
    rows = ManagedApplication.objects.filter(device=phone).values_list("is_declared", "state")
    assert dict(rows) == {True: "Managed", False: "Queued"}
    answered(command(channel(phone), "RemoveApplication", Identifier=PAGES))
    results.read_results()

    assert managed(phone) == {PAGES: ("Managed", "")}
    assert versions_on(phone) == {PAGES: "1.2"}


def test_an_application_is_handed_over_to_a_declaration(phone: Device) -> None:
    report(channel(phone), mdm(app(READER)))

    report(channel(phone), mdm(gone(READER)) | declared(app(READER)))

    assert ManagedApplication.objects.get().is_declared
    assert versions_on(phone) == {READER: "1.2"}


def test_a_full_report_without_the_list_empties_it_unless_it_says_why(phone: Device) -> None:
    report(channel(phone), declared(app(READER)))
    report(channel(phone), {}, FullReport=True, Errors=[{"StatusItem": "app.managed.list"}])
    assert managed(phone).keys() == {READER}

    report(channel(phone), declared(app(READER)))
    report(channel(phone), {}, FullReport=True)
    assert managed(phone) == {}


# --- Certificates -----------------------------------------------------------------------------------------------------


def test_certificates_come_change_and_go(phone: Device) -> None:
    """What somebody else has put on the device, reports do not list."""
    foreign, old, new, kept = (certificate(NOT_AFTER) for _ in range(4))
    answer(phone, "CertificateList", CertificateList=[{"CommonName": "MDM", "Data": foreign}])
    report(channel(phone), held(cert("1", old, is_identity=True), cert("2", kept)))
    assert certificates_on(phone) == {foreign, old, kept}
    row = InstalledCertificate.objects.get(is_identity=True)
    assert (row.common_name, row.sha256, row.not_after) == ("test", hashlib.sha256(old).hexdigest(), NOT_AFTER)

    report(channel(phone), held(cert("1", new, is_identity=True)))
    assert certificates_on(phone) == {foreign, new, kept}
    report(channel(phone), held(gone("1"), gone("never there")))
    assert certificates_on(phone) == {foreign, kept}
    report(channel(phone), held(), FullReport=True)
    assert certificates_on(phone) == {foreign}


def test_a_certificate_that_stands_twice_goes_with_the_second(phone: Device) -> None:
    der = certificate(NOT_AFTER)
    report(channel(phone), held(cert("1", der), cert("2", der)))
    assert InstalledCertificate.objects.count() == 1

    report(channel(phone), held(gone("1")))
    assert certificates_on(phone) == {der}

    report(channel(phone), held(gone("2")))
    assert certificates_on(phone) == set()


def test_a_certificate_that_an_answer_named_is_not_named_anew(phone: Device) -> None:
    der = certificate(NOT_AFTER)
    listed = {"CommonName": "Test of Corp", "IsIdentity": True, "Data": der}
    answer(phone, "CertificateList", CertificateList=[listed])

    report(channel(phone), held(cert("1", der, is_identity=True)), FullReport=True)

    assert InstalledCertificate.objects.get().common_name == "Test of Corp"


def test_what_was_told_earlier_does_not_undo_a_newer_answer(phone: Device) -> None:
    first, second = certificate(NOT_AFTER), certificate(NOT_AFTER)
    report(channel(phone), held(cert("1", first)))
    answer(phone, "CertificateList", CertificateList=[])

    report(channel(phone), held(cert("2", second)))

    assert certificates_on(phone) == {second}


# --- Whose it is ------------------------------------------------------------------------------------------------------


def test_a_list_of_a_macs_user_is_not_of_the_mac(mac: Device) -> None:
    user, computer = certificate(NOT_AFTER), certificate(NOT_AFTER)
    report(channel(mac, "user"), held(cert("1", user)) | mdm(app(READER)))
    assert not InstalledCertificate.objects.exists()
    assert not ManagedApplication.objects.exists()

    report(channel(mac), held(cert("1", computer)))
    report(channel(mac, "user"), held(gone("1")), FullReport=True)

    assert certificates_on(mac) == {computer}


def test_a_users_own_device_tells_what_is_managed_and_no_more() -> None:
    own = iphone(kind=Enrollment.Kind.AAUE, serial_number="")
    der = certificate(NOT_AFTER)

    identifiers = {"device": {"identifier": {"serial-number": "S", "udid": "U"}}}
    report(channel(own), identifiers | mdm(app(READER)) | held(cert("1", der)), FullReport=True)

    own.refresh_from_db()
    assert (own.serial_number, own.udid) == ("", "")
    assert ChannelStatus.objects.get().items.keys() == {"mdm.app", "security.certificate.list"}
    assert managed(own).keys() == {READER}
    assert (versions_on(own), certificates_on(own)) == ({READER: "1.2"}, {der})


def test_a_report_of_an_ended_enrollment_feeds_no_table(phone: Device) -> None:
    Enrollment.objects.update(state=Enrollment.State.ENDED)

    report(channel(phone), mdm(app(PAGES)) | held(cert("1", certificate(NOT_AFTER))))

    assert not ManagedApplication.objects.exists()
    assert not InstalledCertificate.objects.exists()


def test_devices_in_one_batch_do_not_mix() -> None:
    first, second = fleet(2)
    der = certificate(NOT_AFTER)
    for device in (first, second):
        report(channel(device), mdm(app(PAGES), app(READER)) | held(cert("1", der)))
    send(channel(first), mdm(app(PAGES)) | held(), FullReport=True)
    send(channel(second), mdm(gone(PAGES)))

    assert read_all() == [2]

    assert [managed(device).keys() for device in (first, second)] == [{PAGES}, {READER}]
    assert [certificates_on(device) for device in (first, second)] == [set(), {der}]


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize(
    "items",
    [
        {"mdm": {"app": "all"}},
        mdm(7, None, {"name": "nameless"}, {"identifier": ""}, {"identifier": "x" * 256}, {"identifier": 7}),
        held({"identifier": "1"}, {"identifier": "2", "data": "?"}, {"identifier": "3", "data": 7}),
        held({"identifier": "4", "data": ""}, {"identifier": "5", "data": "é"}),
    ],
)
def test_what_is_no_entry_is_passed_over(phone: Device, items: dict[str, Any], *, full: bool) -> None:
    report(channel(phone), items, FullReport=full)

    assert not declaration_status.waiting()
    assert not ManagedApplication.objects.exists()
    assert not InstalledCertificate.objects.exists()


def test_what_does_not_fit_stands_in_the_details(phone: Device) -> None:
    odd = {"state": "x" * 65, "version": 7, "external-version-id": "9" * 30, "reasons": "none", "new": {"a": 1}}
    report(channel(phone), declared({"identifier": READER, **odd}))

    row = ManagedApplication.objects.get()
    assert (row.identifier, row.state, row.rejection, row.details) == (READER, "", "", odd)


# --- What it costs ----------------------------------------------------------------------------------------------------


def statements(devices: list[Device], items: dict[str, Any], **keys: Any) -> list[str]:
    for device in devices:
        send(channel(device), items, **keys)
    with CaptureQueriesContext(connection) as captured:
        assert read_all() == [len(devices)]
    return [query["sql"] for query in captured]


def naming(sqls: list[str], *models: type[Model]) -> list[str]:
    return [sql for sql in sqls if any(model._meta.db_table in sql for model in models)]


def test_many_devices_share_the_statements() -> None:
    few, many = fleet(2, "few"), fleet(9, "many")
    one, another = (held(cert("1", certificate(NOT_AFTER))) for _ in range(2))
    stories = [
        mdm(app(PAGES), app(READER)) | declared(app("a.b")) | one,
        mdm(app(PAGES, "updating"), gone(READER)) | declared(app("a.b", "failed"), app("c.d")) | another,
        mdm(app(PAGES, version="8"), app("e.f", "managed-but-uninstalled")) | held(gone("1")),
    ]

    counts = [[len(statements(devices, items)) for items in stories] for devices in (few, many)]

    assert counts[0] == counts[1]


def test_a_list_that_is_repeated_is_read_and_not_written() -> None:
    devices = fleet(3)
    items = mdm(app(PAGES), app(READER)) | held(cert("1", certificate(NOT_AFTER)))
    statements(devices, items, FullReport=True)

    repeated = naming(
        statements(devices, items, FullReport=True), ManagedApplication, InstalledApplication, InstalledCertificate
    )

    assert [sql.split()[0] for sql in repeated] == ["SELECT"] * 3


def test_a_report_without_lists_costs_nothing_for_them() -> None:
    devices = fleet(2)
    statements(devices, mdm(app(PAGES)) | held(cert("1", certificate(NOT_AFTER))))
    tables = ManagedApplication, InstalledApplication, InstalledCertificate

    without = statements(devices, {"passcode": {"is-present": True}})

    assert naming(without, *tables) == []


def test_a_report_is_json_that_a_device_would_send(phone: Device) -> None:
    """With the line breaks that base64 has in a property list."""
    der = certificate(NOT_AFTER)
    entry = cert("1", der) | {"data": base64.encodebytes(der).decode()}
    declaration_status.accept(channel(phone), json.dumps({"StatusItems": held(entry), "Errors": []}).encode())

    read_all()

    assert certificates_on(phone) == {der}
