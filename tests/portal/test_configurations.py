"""Policies & Configs > Configurations: a profile is uploaded, assigned, watched and removed."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from devices.models import Configuration, ConfigurationAssignment, Identity
from devices.services import labels
from epmm import options, settings_store
from epmm.models import AuditEntry
from tests.devices.configuration import lab
from tests.devices.configuration.profiles import IDENTIFIER, profile
from tests.devices.services import rows
from tests.portal.conftest import SignedIn
from tests.portal.pages import filled, text
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/configurations"
SYSTEM = "/admin/configurations/system-ios-mdm"
IDENTITIES = "/admin/settings/ios-mdm/identities"


def upload(client: Client, content: bytes, **more: str) -> Any:
    return client.post(f"{LIST}/upload", {"file": SimpleUploadedFile("a.mobileconfig", content), **more})


def test_a_profile_is_uploaded_and_a_second_one_is_its_new_version(signed_in: SignedIn) -> None:
    client = signed_in()
    assert "There are no configurations yet." in text(client.get(LIST))

    first = upload(client, profile(), name="Wi-Fi")
    configuration = Configuration.objects.get()
    assert first["Location"] == f"{LIST}/{configuration.pk}"
    assert "version 1 is uploaded" in text(client.get(first["Location"]))
    upload(client, profile(edition=2))
    page = text(client.get(LIST))
    assert IDENTIFIER in page
    assert "<td>2</td>" in page
    assert AuditEntry.objects.filter(action="configuration.uploaded", actor="admin").count() == 2


@pytest.mark.parametrize("content", [b"nothing", b"x" * ((1 << 20) + 1)])
def test_a_file_that_is_no_profile_is_refused_with_the_reason(signed_in: SignedIn, content: bytes) -> None:
    client = signed_in()

    refused = upload(client, content)
    assert refused.status_code == 422
    assert "error-text" in text(refused)
    assert "Choose the file first." in text(client.post(f"{LIST}/upload", {}))
    assert not Configuration.objects.exists()


def test_it_is_assigned_to_a_label_and_to_a_device_and_taken_back(signed_in: SignedIn) -> None:
    client, configuration = signed_in(), lab.uploaded()
    address = f"{LIST}/{configuration.pk}"
    label = labels.create("Sales", actor="test")
    device = rows.enrolled(serial_number="C02X").device

    client.post(f"{address}/assign", {"label": label.pk})
    client.post(f"{address}/assign", {"device": " C02X "})
    assert "assigned to Sales already" in text(client.post(f"{address}/assign", {"label": label.pk}, follow=True))
    assert {(row.label, row.device) for row in ConfigurationAssignment.objects.all()} == {(label, None), (None, device)}
    lab.work()
    assert "Sales" in text(client.get(address))
    shown = text(client.get(f"{address}/devices"))
    assert f"/admin/devices/{device.uuid if device else ''}/configurations" in shown
    for row in ConfigurationAssignment.objects.all():
        client.post(f"{address}/unassign", {"assignment": row.pk})
    assert not ConfigurationAssignment.objects.exists()
    again = client.post(f"{address}/unassign", {"assignment": row.pk}, follow=True)
    assert "It was not assigned any more." in text(again)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({}, "one of the two"),
        ({"device": "nobody"}, "There is no device nobody."),
        ({"label": "2000000000"}, "Select a valid choice"),
    ],
)
def test_whoever_is_not_there_gets_nothing(signed_in: SignedIn, sent: dict[str, str], sentence: str) -> None:
    client, configuration = signed_in(), lab.uploaded()

    answer = client.post(f"{LIST}/{configuration.pk}/assign", sent)
    assert answer.status_code == 422
    assert sentence in text(answer)
    client.post(f"{LIST}/{configuration.pk}/unassign", {"assignment": "²" * 30})
    assert not AuditEntry.objects.filter(action__startswith="configuration.assigned").exists()


def test_it_is_removed_when_its_identifier_is_typed_out(signed_in: SignedIn) -> None:
    client, configuration = signed_in(), lab.uploaded()
    address = f"{LIST}/{configuration.pk}/remove"

    assert "Type the identifier" in text(client.post(address))
    assert client.post(address, {"go": 1, "typed": "something"}).status_code == 422
    assert client.post(address, {"go": 1, "typed": IDENTIFIER})["HX-Refresh"] == "true"
    configuration.refresh_from_db()
    assert configuration.removed_at is not None
    assert "Being removed" in text(client.get(LIST))


def test_who_may_look_changes_nothing(signed_in: SignedIn) -> None:
    reader, configuration = signed_in("reader", [AdminRole.CONFIGURATION_VIEW]), lab.uploaded()
    page = text(reader.get(f"{LIST}/{configuration.pk}"))

    assert ">Assign<" not in page
    assert ">Remove<" not in page
    for what in ("assign", "unassign", "remove"):
        assert reader.post(f"{LIST}/{configuration.pk}/{what}").status_code == 403
    assert upload(reader, profile()).status_code == 403


def test_many_configurations_on_many_devices_cost_what_few_do(
    signed_in: SignedIn, django_assert_max_num_queries: Any
) -> None:
    client = signed_in()
    first = lab.uploaded()
    for number in range(60):
        lab.uploaded(identifier=f"test.configuration.{number}")
    for number in range(12):
        lab.assigned(rows.enrolled(udid=f"u{number}", serial_number=f"s{number}"))

    here = f"{LIST}/{first.pk}"
    for address in (LIST, here, f"{here}/devices", f"{here}/assignments", f"{LIST}?q=configuration.5"):
        with django_assert_max_num_queries(12):
            page = client.get(address)
        assert page.status_code == 200
        assert len(page.content) < 60_000


# --- System - iOS MDM -------------------------------------------------------------------------------------------------


def test_access_rights_are_chosen_for_those_who_enroll_next(signed_in: SignedIn) -> None:
    client = signed_in()
    rows.enrolled()
    assert "settings.access" not in text(client.get(SYSTEM))
    sent: dict[str, Any] = filled(client, SYSTEM)

    client.post(SYSTEM, sent | {options.ACCESS_RIGHTS.name: ["16", "2", "1"]})
    assert settings_store.read(options.ACCESS_RIGHTS) == ("1", "2", "16")
    page = text(client.get(SYSTEM))
    assert "<dd>1</dd>" in page  # the device that has all of them


@pytest.mark.parametrize(
    ("rights", "sentence"),
    [(["1", "2"], "rights 1, 2 and 16 among them"), (["1", "2", "16", "128"], "128 together with 64 only")],
)
def test_rights_that_do_not_go_together_are_refused(signed_in: SignedIn, rights: list[str], sentence: str) -> None:
    client = signed_in()

    answer = client.post(SYSTEM, filled(client, SYSTEM) | {options.ACCESS_RIGHTS.name: rights})
    assert answer.status_code == 422
    assert sentence in text(answer)
    assert len(settings_store.read(options.ACCESS_RIGHTS)) == 13


# --- Identity certificates --------------------------------------------------------------------------------------------


def test_devices_that_are_or_will_be_shut_out_are_listed(
    signed_in: SignedIn, django_assert_max_num_queries: Any
) -> None:
    client = signed_in()
    for number, days in enumerate((-1, 5, 70)):
        enrollment = rows.enrolled(udid=f"u{number}", serial_number=f"C02{number}", device_name=f"Device {number}")
        until = timezone.now() + timedelta(days=days)
        Identity.objects.filter(enrollment=enrollment).update(not_after=until, state=Identity.State.CURRENT)

    with django_assert_max_num_queries(12):
        page = text(client.get(IDENTITIES))
    assert ("Device 0" in page, "Device 1" in page, "Device 2" in page) == (True, True, False)
    assert re.findall(r"Device \d", text(client.get(IDENTITIES, {"q": "C021"}))) == ["Device 1"]
    assert page.index("Expired") < page.index("Expires soon")
    assert "Deny check-in for devices" in text(client.get("/admin/settings/ios-mdm"))
