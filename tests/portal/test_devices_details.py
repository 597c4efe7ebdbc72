"""One device: its tabs, its commands, its story."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Command, Device, Enrollment, FinishedCommand
from enrollment.simulator.hardware import Family
from epmm.models import AuditEntry
from tests.devices.services.rows import answered, channel_of, command, device_of, enrolled
from tests.flows.house import House, opened, person, record_of
from tests.portal.conftest import SignedIn
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)
TABS = ["", "/configurations", "/declarations", "/apps", "/certificates", "/commands", "/enrollment", "/logs"]


def page(client: Client, device: Device, tab: str = "") -> str:
    response = client.get(f"/admin/devices/{device.uuid}{tab}")
    assert response.status_code == 200, tab
    return response.content.decode()


def fields(text: str) -> dict[str, str]:
    pairs = re.findall(r"<dt>([^<]*)</dt>\s*<dd>(.*?)</dd>", text, re.DOTALL)
    return {label: re.sub(r"<[^>]+>", "", value).strip() for label, value in pairs}


@pytest.mark.parametrize(
    ("kind", "adde", "aaue"), [(Enrollment.Kind.ADDE, "true", "false"), (Enrollment.Kind.AAUE, "false", "true")]
)
def test_the_details_say_how_it_is_enrolled(signed_in: SignedIn, kind: Enrollment.Kind, adde: str, aaue: str) -> None:
    device = device_of(enrolled(kind=kind, device_name="Anna's iPhone", managed_apple_account="anna@corp.example"))

    said = fields(page(signed_in(), device))
    assert said["Account Driven Device Enrolled"] == adde
    assert said["Apple User Enrolled Device"] == aaue
    assert said["Managed Apple Account"] == "anna@corp.example"
    assert said["Enrollment ID"] == (device.enrollment_id or "&ndash;")
    assert said["Serial number"]  # of the certificate


@pytest.mark.parametrize("tab", TABS)
def test_each_tab_has_an_address_and_costs_little(signed_in: SignedIn, tab: str) -> None:
    enrollment = enrolled()
    for number in range(60):
        answered(command(channel_of(enrollment), "DeviceInformation"), Error=number)
    client, device = signed_in(), device_of(enrollment)

    with CaptureQueriesContext(connection) as queries:
        shown = page(client, device, tab)
    assert len(queries) <= 14, [query["sql"] for query in queries]
    assert len(shown) <= 60_000
    assert len(re.findall(r'<a href="[^"]*" aria-current="page">', shown)) == 1


def test_there_is_no_page_of_a_device_that_is_not_there(signed_in: SignedIn) -> None:
    client = signed_in()

    for tab in [*TABS, "/commands/1"]:
        assert client.get(f"/admin/devices/00000000-0000-0000-0000-000000000000{tab}").status_code == 404


def test_the_logs_of_a_device_are_for_whoever_reads_logs(signed_in: SignedIn) -> None:
    device = device_of(enrolled())
    client = signed_in("viewer", roles=[AdminRole.DEVICE_VIEW])

    assert "/logs" not in page(client, device)
    assert client.get(f"/admin/devices/{device.uuid}/logs").status_code == 403


def test_a_command_shows_what_was_said_and_no_secret(signed_in: SignedIn) -> None:
    enrollment = enrolled()
    channel, device = channel_of(enrollment), device_of(enrollment)
    bypass = answered(command(channel, "ActivationLockBypassCode"), ActivationLockBypassCode="SECRET-1")
    cleared = command(channel, "ClearPasscode", UnlockToken=b"SECRET-2")
    said = answered(command(channel, "SecurityInfo"), SecurityInfo={"PasscodePresent": True, "UnlockToken": "SECRET-3"})
    client = signed_in()

    texts = [page(client, device, f"/commands/{row.pk}") for row in (bypass, cleared, said)]
    assert "SECRET" not in "".join(texts)
    assert "U0VDUkVU" not in "".join(texts)  # in base64
    assert "PasscodePresent" in texts[2]
    assert client.get(f"/admin/devices/{device_of(enrolled(udid='b')).uuid}/commands/{said.pk}").status_code == 404


def test_an_open_command_is_cancelled_and_its_device_stays(signed_in: SignedIn) -> None:
    enrollment = enrolled(device_name="phone")
    device, client = device_of(enrollment), signed_in()
    client.post("/admin/devices/retire", {"go": "1", "devices": str(device.uuid)})
    assert device_of(enrollment).status == Device.Status.RETIRE_PENDING
    row = Command.objects.get()
    assert f"/commands/{row.pk}/cancel" in page(client, device, "/commands")

    address = f"/admin/devices/{device.uuid}/commands/{row.pk}/cancel"
    assert client.post(address).status_code == 302
    assert device_of(enrollment).status == Device.Status.ACTIVE
    assert FinishedCommand.objects.get().state == Command.State.CANCELLED
    assert AuditEntry.objects.filter(action="command.cancelled", actor="admin").exists()
    assert "This command is finished." in client.post(address, follow=True).content.decode()


@pytest.fixture
def house(transactional_db: None) -> Any:
    with opened() as house:
        yield house


def test_a_phone_is_locked_from_the_portal_and_the_answer_shows(house: House, signed_in: SignedIn) -> None:
    person()
    phone = house.enrolled(Family.IPHONE)
    phone.connect()
    house.work()
    device, client = record_of(phone), signed_in()

    said = client.post(
        "/admin/devices/lock", {"go": "1", "devices": str(device.uuid), "message": "Lost. Please call."}
    ).content.decode()
    assert "Done for 1 device." in said
    assert ">Queued</span>" in page(client, device, "/commands")

    locked = [item for item in phone.connect() if item.request_type == "DeviceLock"]
    assert [item.status for item in locked] == ["Acknowledged"]
    house.work()
    row = FinishedCommand.objects.get(request_type="DeviceLock")
    assert ">Acknowledged</span>" in page(client, device, "/commands")
    answer = page(client, device, f"/commands/{row.pk}")
    assert "Lost. Please call." in answer
    assert "Acknowledged" in answer
    assert "command.queued" in page(client, device, "/logs")
    assert "token_update" in page(client, device, "/enrollment")
    assert "Device:" in page(client, device, "/declarations")
