"""Settings > Delete Retired Devices, Manage Duplicate Devices: how many, typed out, and how far it has come."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.models import Device, Duplicate
from devices.services import duplicates, retired_records
from epmm import options, settings_store
from epmm.models import Job
from tests.devices.services.test_upkeep import gone, record, work_off
from tests.portal.conftest import PASSWORD, SignedIn
from tests.portal.pages import filled, text
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)
RETIRED = "/admin/settings/retired-devices"
DUPLICATES = "/admin/settings/duplicate-devices"
CASES = [(f"{RETIRED}/delete", retired_records.KIND), (f"{DUPLICATES}/retire", duplicates.KIND)]


@pytest.fixture
def too_much(transactional_db: None) -> None:
    """Two devices that left long ago, two that have a second record."""
    for number in range(2):
        gone(200)
        record(Device.Status.UNKNOWN, hours=48, serial_number=f"S{number}")
        record(hours=24, serial_number=f"S{number}")
    duplicates.look()


@pytest.mark.parametrize(("address", "kind"), CASES)
def test_it_begins_when_the_number_is_typed_out(signed_in: SignedIn, too_much: None, address: str, kind: str) -> None:
    client = signed_in()

    assert "2 devices" in text(client.post(address))
    wrong = client.post(address, {"go": 1, "typed": "3"})
    assert wrong.status_code == 422
    assert not Job.objects.filter(kind=kind).exists()
    assert client.post(address, {"go": 1, "typed": "2"})["HX-Refresh"] == "true"
    page = address.rpartition("/")[0]
    assert "Under way" in text(client.get(page))
    client.post(address, {"go": 1, "typed": "2"})
    assert "It is running already." in text(client.get(page))
    work_off(kind)
    assert "2 devices" in text(client.get(page))
    assert "There is none." in text(client.post(address))


@pytest.mark.parametrize(("address", "kind"), CASES)
def test_who_is_at_the_keyboard_is_asked_first(
    signed_in: SignedIn, too_much: None, monkeypatch: pytest.MonkeyPatch, address: str, kind: str
) -> None:
    client, later = signed_in(), time.time() + 600
    monkeypatch.setattr("users.services.portal_sign_in.time.time", lambda: later)

    assert "Confirm that it is you" in text(client.post(address))
    assert client.post(address, {"go": 1, "typed": "2", "password": "wrong"}).status_code == 422
    assert not Job.objects.filter(kind=kind).exists()
    client.post(address, {"go": 1, "typed": "2", "password": PASSWORD})
    assert Job.objects.filter(kind=kind).exists()


@pytest.mark.parametrize(("address", "kind"), CASES)
def test_who_may_change_settings_alone_does_not_run_it(signed_in: SignedIn, address: str, kind: str) -> None:
    client = signed_in("keeper", [AdminRole.SETTINGS_VIEW, AdminRole.SETTINGS_MANAGE])

    assert "Run now" not in text(client.get(address.rpartition("/")[0]))
    assert client.post(address, {"go": 1, "typed": "0"}).status_code == 403


def test_the_settings_decide_how_old_records_become(signed_in: SignedIn, too_much: None) -> None:
    client = signed_in()
    assert "more than 90 days ago" in text(client.get(RETIRED))

    changed = {options.RETIRED_DAYS.name: "365", options.RETIRED_SCHEDULE.name: "monthly"}
    client.post(RETIRED, filled(client, RETIRED, **changed))
    assert settings_store.read(options.RETIRED_SCHEDULE) == "monthly"
    assert "There is none." in text(client.post(f"{RETIRED}/delete"))


def test_duplicates_are_listed_with_the_record_that_stays(
    signed_in: SignedIn, django_assert_max_num_queries: Any
) -> None:
    client = signed_in()
    assert "No device has more than one record." in text(client.get(f"{DUPLICATES}/now"))
    for number in range(60):
        record(Device.Status.UNKNOWN, hours=48 + number, serial_number=f"S{number}")
        kept = record(hours=24, serial_number=f"S{number}")
    assert "The worker has not compared the records yet." in text(client.get(f"{DUPLICATES}/now"))
    duplicates.look()

    with django_assert_max_num_queries(12):
        page = text(client.get(f"{DUPLICATES}/now"))
    assert len(page) < 60_000
    assert page.count(f"{kept.uuid}") == 0  # sixty, the oldest on the second page
    Device.objects.exclude(serial_number="S59").update(registered_at=timezone.now() - timedelta(days=200))
    assert str(kept.uuid) in text(client.get(f"{DUPLICATES}/now"))
    lines = b"".join(client.get(f"{DUPLICATES}/now?format=csv")).decode().splitlines()
    assert len(lines) == 61
    Device.objects.filter(pk=kept.pk).update(status=Device.Status.RETIRED)
    duplicates.look()
    assert Duplicate.objects.count() == 59
