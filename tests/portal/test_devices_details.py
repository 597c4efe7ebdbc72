"""One device: its tabs, its commands, its story."""

import html
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from devices.models import Command, Device, Enrollment, FinishedCommand, InstalledApplication, Label, ManagedApplication
from devices.protocol import installed
from devices.services import labels
from devices.views import app_states
from enrollment import reasons
from enrollment.models import Step
from enrollment.services import trace
from enrollment.simulator.hardware import Family
from epmm import audit
from epmm.models import AuditEntry
from tests.devices.services.rows import answered, channel_of, command, device_of, enrolled
from tests.flows.house import House, person, record_of
from tests.portal.conftest import SignedIn
from users.models import AdminRole

pytestmark = pytest.mark.django_db(transaction=True)
TABS = ["", "/configurations", "/declarations", "/apps", "/certificates", "/labels", "/comments", "/commands"]
TABS += ["/enrollment", "/logs"]


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
    assert said["Account Driven User Enrolled"] == aaue
    assert said["Managed Apple Account"] == "anna@corp.example"
    assert said["Enrollment ID"] == device.enrollment_id
    assert said["Serial number"]  # of the certificate


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (8191, "All (8191)"),
        (8191 - 4 - 8, "All but 4: Lock the device, remove its passcode; 8: Erase the device (8179)"),
        (8 + 4096, "8: Erase the device; 4096: Manage apps (4104)"),
        (None, ""),
    ],
)
def test_access_rights_are_told_in_words(signed_in: SignedIn, number: int | None, told: str) -> None:
    said = fields(page(signed_in(), device_of(enrolled(access_rights=number))))

    assert said["Access rights"] == told


@pytest.mark.parametrize("number", [0, 300])
@pytest.mark.parametrize("tab", [*TABS, "/panel"])
def test_each_tab_has_an_address_and_costs_little(signed_in: SignedIn, tab: str, number: int) -> None:
    enrollment = enrolled()
    client, device = signed_in(), device_of(enrollment)
    InstalledApplication.objects.bulk_create(
        InstalledApplication(device=device, identifier=f"org.example.app{n:04}", name=f"Application {n}", bundle_size=9)
        for n in range(number)
    )
    for n in range(number // 5):
        answered(command(channel_of(enrollment), "DeviceInformation"), Error=n)
        labels.create(f"Label {n}", criteria='"common.retired" = "false"', actor="test")
        audit.record("device.woken", actor="admin", subject_type="device", subject=str(device.uuid), details={"n": n})
    page(client, device)  # the first one after the sign-in tells of the last

    with CaptureQueriesContext(connection) as queries:
        shown = page(client, device, tab)
    assert len(queries) <= 12, "\n".join(query["sql"][:300] for query in queries)
    assert len(shown) <= 60_000
    assert len(re.findall(r'<a href="[^"]*" aria-current="page">', shown)) == (tab != "/panel")


def test_there_is_no_page_of_a_device_that_is_not_there(signed_in: SignedIn) -> None:
    client = signed_in()

    for tab in [*TABS, "/panel", "/commands/1", "/nothing"]:
        assert client.get(f"/admin/devices/00000000-0000-0000-0000-000000000000{tab}").status_code == 404


def test_the_logs_of_a_device_are_for_whoever_reads_logs(signed_in: SignedIn) -> None:
    device = device_of(enrolled())
    client = signed_in("viewer", roles=[AdminRole.DEVICE_VIEW])

    assert f"/devices/{device.uuid}/logs" not in page(client, device)
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


def test_the_labels_of_a_device_are_those_it_was_given_and_those_that_mean_it(signed_in: SignedIn) -> None:
    device = device_of(enrolled(device_name="phone", owner=Device.Owner.EMPLOYEE))
    labels.add(labels.create("Sales", description="All who sell", actor="test"), device, actor="test")
    labels.create("Marketing", actor="test")
    labels.create("Own phones", criteria='"common.owner" = "EMPLOYEE"', actor="test")
    labels.create("Company phones", criteria='"common.owner" = "COMPANY"', actor="test")
    Label.objects.create(name="Of old", kind=Label.Kind.FILTER, criteria='"common.no_more" = "1"')

    table = page(signed_in(), device, "/labels").partition("<tbody>")[2]
    names = re.findall(r'\?label=\d+">([^<]+)</a>', table)
    assert names == ["Own phones", "Sales"]
    assert "All who sell" in table


def test_whoever_may_not_see_labels_has_no_tab_for_them(signed_in: SignedIn) -> None:
    device, client = device_of(enrolled()), signed_in("viewer", roles=[AdminRole.DEVICE_VIEW])

    assert f"{device.uuid}/labels" not in page(client, device)
    assert client.get(f"/admin/devices/{device.uuid}/labels").status_code == 403
    assert "Write a comment" not in page(client, device, "/comments")


def test_a_row_opens_a_panel_and_the_address_says_which(signed_in: SignedIn) -> None:
    device, client = device_of(enrolled(device_name="Anna's iPhone")), signed_in()
    address = f"/admin/devices/{device.uuid}/panel"

    shown = client.get("/admin/devices").content.decode()
    assert f'<a href="/admin/devices/{device.uuid}" data-panel>' in shown
    assert address not in shown
    opened = client.get(f"/admin/devices?open={device.uuid}&sort=-seen").content.decode()
    assert f'hx-get="{address}" hx-trigger="load" hx-target="#dialog"' in opened
    assert "open=" not in "".join(re.findall(r'href="([^"]*)"', opened))
    panel = page(client, device, "/panel")
    assert "<html" not in panel
    assert 'id="dialog-title">Anna&#x27;s iPhone</h2>' in panel
    assert fields(panel)["Account Driven Device Enrolled"] == "true"
    assert f'href="/admin/devices/{device.uuid}"' in panel


@pytest.mark.parametrize("key", ["nonsense", "00000000-0000-0000-0000-000000000000", ""])
def test_a_panel_of_nothing_does_not_open(signed_in: SignedIn, key: str) -> None:
    enrolled()
    assert "/panel" not in signed_in().get(f"/admin/devices?open={key}").content.decode()


def test_the_trace_says_what_to_do(signed_in: SignedIn) -> None:
    enrollment = enrolled()
    attempt = trace.open_attempt(address="192.0.2.1", identifier="anna@corp.example")
    assert attempt is not None
    attempt.enrollment = enrollment
    attempt.save()
    trace.step(attempt, Step.CREDENTIALS, result=trace.REFUSED, reason=reasons.WRONG_CREDENTIALS)

    shown = page(signed_in(), device_of(enrollment), "/enrollment")
    assert "E-201" in shown
    assert str(reasons.WRONG_CREDENTIALS.operator) in shown
    assert "<span>Credentials</span>" in shown


def test_what_became_of_an_app_is_said_in_words(signed_in: SignedIn) -> None:
    client, device = signed_in(), device_of(enrolled())
    InstalledApplication.objects.create(device=device, identifier="org.example.reader", name="Reader")
    for name, state, rejection in (
        ("reader", "Managed", ""),
        ("calendar", "Prompting", ""),
        ("notes", "Failed", "AppStoreDisabled"),
        ("radio", "of a later system", "of it too"),
    ):
        ManagedApplication.objects.create(
            device=device, identifier=f"org.example.{name}", state=state, rejection=rejection
        )

    shown = page(client, device, "/apps")
    told = re.findall(r'<td>org\.example\.(\w+)</td>.*?<span class="badge (\w+)">([^<]+)</span>', shown)
    assert {name: (tone, html.unescape(text)) for name, tone, text in told} == {
        "reader": ("good", "Managed"),
        "calendar": ("waiting", "Waits for the person's consent"),
        "notes": ("bad", "Could not be installed: the App Store is switched off"),
        "radio": ("plain", "of a later system: of it too"),
    }
    assert app_states.STATES.keys() >= installed.UNDER_WAY | installed.STANDING | installed.TOLD_ONCE


def test_a_phone_is_locked_from_the_portal_and_the_answer_shows(house: House, signed_in: SignedIn) -> None:
    person()
    phone = house.enrolled(Family.IPHONE)
    phone.connect()
    house.work()
    device, client = record_of(phone), signed_in()

    said = client.post(
        "/admin/devices/lock", {"go": "1", "devices": str(device.uuid), "message": "Lost. Please call."}
    ).content.decode()
    assert "Lock sent to 1 device." in said
    shown = page(client, device, "/commands")
    assert ">Queued</span>" in shown
    poll = re.search(r'data-poll hx-get="([^"]+)"', shown)
    assert poll is not None
    assert client.get(poll[1]).status_code == 204

    locked = [item for item in phone.connect() if item.request_type == "DeviceLock"]
    assert [item.status for item in locked] == ["Acknowledged"]
    house.work()
    row = FinishedCommand.objects.get(request_type="DeviceLock")
    assert ">Acknowledged</span>" in page(client, device, "/commands")
    news = client.get(poll[1]).content.decode()
    assert ">Acknowledged</span>" in news
    assert "<html" not in news
    assert poll[1] not in news
    answer = page(client, device, f"/commands/{row.pk}")
    assert "Lost. Please call." in answer
    assert "Acknowledged" in answer
    logs = page(client, device, "/logs")
    assert "command.queued" in logs
    assert '<span class="badge good">Success</span>' in logs
    assert "Device can be reached (TokenUpdate)" in page(client, device, "/enrollment")
    declared = page(client, device, "/declarations")
    assert "<strong>Device</strong>" in declared
    assert ">Has not fetched the newest declarations yet</span>" in declared
