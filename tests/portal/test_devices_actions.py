"""What administrators do to devices, and to whom it is refused."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from devices.models import Command, Declaration, DeclarationAssignment, Device, Enrollment, Label, Wake
from devices.protocol.stamp import stamp
from devices.services import labels, push_certificates
from devices.services.actions import ACTIONS
from enrollment.simulator.device import SimulatedDevice
from epmm.models import AuditEntry
from tests.devices.services.rows import channel_of, device_of, enrolled
from tests.flows.house import House
from tests.portal.conftest import PASSWORD, SignedIn
from users.models import AdminRole, SignInFailures
from users.services import portal_sign_in

pytestmark = pytest.mark.django_db(transaction=True)


def ask(client: Client, key: str, *devices: Device, **more: Any) -> Any:
    return client.post(f"/admin/devices/{key}", {"row": [str(device.uuid) for device in devices], **more})


def go(client: Client, key: str, *devices: Device, **values: Any) -> Any:
    return client.post(
        f"/admin/devices/{key}", {"go": "1", "devices": ",".join(str(device.uuid) for device in devices), **values}
    )


def told(house: House, phone: SimulatedDevice) -> list[str]:
    """Of profiles, until neither the worker nor the device has anything to do."""
    heard: list[str] = []
    while True:
        for _ in range(2):  # jobs come after outboxes, and fill them
            house.work()
        executed = phone.connect()
        if not executed:
            return heard
        heard += [item.request_type for item in executed if item.request_type.endswith("allProfile")]


def forget_who(client: Client) -> None:
    """As if the sign-in were long ago."""
    session = client.session
    session[portal_sign_in.CONFIRMED] = 0
    session.save()


def phone(name: str = "a", **fields: Any) -> Device:
    return device_of(enrolled(udid=name, device_name=f"phone {name}", **fields))


def gone() -> Device:
    enrollment = enrolled(udid="gone", device_name="gone", status=Device.Status.RETIRED, mdm_managed=False)
    Enrollment.objects.filter(pk=enrollment.pk).update(state=Enrollment.State.ENDED)
    return device_of(enrollment)


@pytest.mark.parametrize("role", AdminRole.values)
def test_each_action_opens_for_its_role_alone(signed_in: SignedIn, role: str) -> None:
    client, device = signed_in("clerk", roles=[role]), phone()

    opened = {action.key for action in ACTIONS if ask(client, action.key, device).status_code == 200}
    assert opened == {action.key for action in ACTIONS if action.role == role}


def test_what_a_viewer_may_not_do_is_grey_and_says_why(signed_in: SignedIn) -> None:
    device = phone()
    client = signed_in("viewer", roles=[AdminRole.DEVICE_VIEW])

    for address in ("/admin/devices", f"/admin/devices/{device.uuid}"):
        shown = client.get(address).content.decode()
        assert shown.count("Needs the role “Manage devices”") >= 10, address
        assert "Needs the role “Wipe device”" in shown


@pytest.mark.parametrize(
    ("key", "fields", "why"),
    [
        ("lock", {"status": Device.Status.RETIRED}, "This device is retired."),
        (
            "lock",
            {"kind": Enrollment.Kind.AAUE, "platform": Device.Platform.MACOS},
            "not allowed on a device that is enrolled as a user",
        ),
        ("unlock", {"kind": Enrollment.Kind.AAUE}, "not allowed on a device that is enrolled as a user"),
        ("unlock", {}, "it has given us none"),
        ("unlock", {"platform": Device.Platform.MACOS}, "macOS does not know ClearPasscode."),
        ("wipe", {"kind": Enrollment.Kind.AAUE}, "not allowed on a device that is enrolled as a user"),
        ("wipe", {"access_rights": 1}, "needs the access right 8"),
        ("wipe", {"status": Device.Status.WIPE_PENDING}, "A wipe is pending already."),
        ("check-in", {}, "has not said yet how it is woken"),
        ("delete-retired", {}, "Only a device that is retired or wiped"),
        ("retire", {"state": Enrollment.State.ENDED}, "not under management"),
        ("retire", {"status": Device.Status.WIPED}, "This device is wiped."),
        ("push-profiles", {"state": Enrollment.State.ENDED}, "not under management"),
        ("update-os", {"kind": Enrollment.Kind.AAUE}, "not allowed on a device that is enrolled as a user"),
        ("update-os", {"os_version": "16.7"}, "needs iOS 17.0; this device has 16.7."),
        ("roaming", {"kind": Enrollment.Kind.AAUE}, "not allowed on a device that is enrolled as a user"),
        ("roaming", {"platform": Device.Platform.MACOS}, "Only an iPhone or an iPad has this setting."),
        ("ownership", {"status": Device.Status.RETIRED}, "This device is retired."),
        ("apply-label", {"status": Device.Status.WIPED}, "This device is wiped."),
        ("lost", {"status": Device.Status.IENROLL_VERIFIED}, "Only an active device can be lost."),
        ("lost", {"status": Device.Status.LOST}, "marked as lost already"),
        ("found", {}, "not marked as lost"),
        ("locate", {}, "DeviceLocation needs a supervised device"),
        ("locate", {"platform": Device.Platform.MACOS}, "macOS does not know DeviceLocation."),
        ("user", {"managed_apple_account": "anna@corp.example"}, "It is enrolled with anna@corp.example"),
        (
            "user",
            {"status": Device.Status.VERIFICATION_PENDING, "state": Enrollment.State.ENDED},
            "It waits for its user to enroll.",
        ),
    ],
)
def test_a_greyed_action_says_why_on_the_device_and_in_the_dialog(
    signed_in: SignedIn, key: str, fields: dict[str, Any], why: str
) -> None:
    device, client = phone(**fields), signed_in()
    before = Device.objects.values().get()

    assert why in client.get(f"/admin/devices/{device.uuid}").content.decode().replace("&#x27;", "'")
    dialog = ask(client, key, device).content.decode()
    assert why in dialog
    assert "none of the chosen devices" in dialog
    go(client, key, device, message="x", reason="x", typed="phone a", owner="EMPLOYEE", user="admin")
    assert not Command.objects.exists()
    assert Device.objects.values().get() == before


def test_an_update_is_enforced_on_phones_that_nobody_supervises(signed_in: SignedIn) -> None:
    first, second, own, client = phone("a"), phone("b"), phone("c", kind=Enrollment.Kind.AAUE), signed_in()
    wrong_ones = (
        {"version": "soon"},
        {"by": "2036-12-24"},
        {"by": "2026-01-01T20:00"},
        {"details_url": "http://a.example"},
    )
    for wrong in wrong_ones:
        typed = {"version": "18.3", "by": "2036-12-01T20:00", "details_url": ""} | wrong
        assert go(client, "update-os", first, **typed).status_code == 422
    assert not Declaration.objects.exists()

    said = go(client, "update-os", first, second, own, version="18.3", by="2036-12-01T20:00", details_url="")
    assert "Update OS sent to 2 devices; 1 was skipped" in said.content.decode()
    assert Declaration.objects.get().payload == {
        "TargetOSVersion": "18.3", "TargetLocalDateTime": "2036-12-01T20:00:00",
    }  # fmt: skip
    assert set(DeclarationAssignment.objects.values_list("device", flat=True)) == {first.pk, second.pk}


def test_roaming_and_the_hotspot_are_switched(signed_in: SignedIn) -> None:
    able, less, client = phone("a"), phone("b", access_rights=2048 + 19), signed_in()

    assert go(client, "roaming", able, switch="ENABLE_WIFI").status_code == 422
    said = go(client, "roaming", able, less, switch="DISABLE_PERSONAL_HOTSPOT").content.decode()
    assert "Roaming and hotspot sent to 1 device; 1 was skipped: " in said
    assert "needs the access right 32" in said
    command = Command.objects.get()
    assert command.channel.enrollment.device == able
    assert command.request_type == "Settings"


def test_one_that_cannot_holds_up_no_other(signed_in: SignedIn) -> None:
    able, own, client = phone("a"), phone("b", kind=Enrollment.Kind.AAUE), signed_in()

    dialog = ask(client, "wipe", able, own).content.decode()
    assert "1 device:" in dialog
    assert "1 device is skipped" in dialog
    assert "phone b: EraseDevice is not allowed" in dialog
    said = go(client, "wipe", able, own, reason="stolen", typed="PHONE A").content.decode()
    assert "Wipe sent to 1 device; 1 was skipped: EraseDevice is not allowed" in said
    assert Command.objects.get().channel.enrollment.device == able
    assert Device.objects.get(pk=able.pk).status == Device.Status.WIPE_PENDING
    assert AuditEntry.objects.get(action="device.wipe_ordered").details == {"reason": "stolen"}


def test_a_wipe_is_typed_and_asks_who_is_there(signed_in: SignedIn) -> None:
    device, client = phone(), signed_in()
    forget_who(client)

    dialog = ask(client, "wipe", device).content.decode()
    assert "This erases phone a completely and cannot be undone." in dialog
    assert "Confirm that it is you" in dialog
    given = {"reason": "stolen", "typed": "phone a"}
    assert go(client, "wipe", device, **given).status_code == 422
    assert go(client, "wipe", device, **given, password="wrong").status_code == 422
    assert go(client, "wipe", device, **given | {"typed": "phone b"}, password=PASSWORD).status_code == 422
    assert not Command.objects.exists()
    assert go(client, "wipe", device, **given, password=PASSWORD).status_code == 200
    assert Command.objects.get().request_type == "EraseDevice"


def test_a_wrong_name_costs_no_attempt_at_the_password_and_too_many_lock_it(signed_in: SignedIn) -> None:
    device, client = phone(), signed_in()
    forget_who(client)
    given = {"reason": "stolen", "typed": "phone a"}

    for _attempt in range(10):
        assert go(client, "wipe", device, **given | {"typed": "phone b"}, password="wrong").status_code == 422
    assert not SignInFailures.objects.exists()
    statuses = [go(client, "wipe", device, **given, password="wrong").status_code for _attempt in range(10)]
    assert statuses[0] == 422
    assert statuses[-1] == 429
    locked = go(client, "wipe", device, **given, password=PASSWORD)
    assert locked.status_code == 429
    assert "Too many attempts." in locked.content.decode()
    assert not Command.objects.exists()


def test_several_are_wiped_by_their_number(signed_in: SignedIn) -> None:
    devices, client = [phone("a"), phone("b")], signed_in()

    assert go(client, "wipe", *devices, reason="x", typed="phone a").status_code == 422
    assert go(client, "wipe", *devices, reason="x", typed="2").status_code == 200
    assert Command.objects.filter(request_type="EraseDevice").count() == 2


@pytest.mark.parametrize(("number", "asks"), [(1, False), (2, True)])
def test_retiring_more_than_one_asks_who_is_there(signed_in: SignedIn, number: int, *, asks: bool) -> None:
    devices, client = [phone(name) for name in "ab"[:number]], signed_in()
    forget_who(client)

    assert ("Confirm that it is you" in ask(client, "retire", *devices).content.decode()) == asks
    assert (go(client, "retire", *devices).status_code == 422) == asks
    assert go(client, "retire", *devices, password=PASSWORD).status_code == 200
    assert {device.status for device in Device.objects.all()} == {Device.Status.RETIRE_PENDING}


def test_one_that_will_not_come_back_is_retired_at_once(signed_in: SignedIn) -> None:
    device, client = phone(), signed_in()

    go(client, "retire", device)
    assert "pending already" in go(client, "retire", device).content.decode()
    go(client, "retire", device, at_once="on")
    assert Device.objects.get().status == Device.Status.RETIRED


def test_a_lock_carries_what_each_device_can_show(signed_in: SignedIn) -> None:
    devices = [phone("a"), phone("b", platform=Device.Platform.MACOS), phone("c", platform=Device.Platform.VISIONOS)]
    client = signed_in()

    assert "PIN for Macs" in ask(client, "lock", *devices).content.decode()
    assert "PIN for Macs" not in ask(client, "lock", devices[0]).content.decode()
    assert "Type six digits." in go(client, "lock", *devices, message="Call us", pin="12").content.decode()
    said = go(client, "lock", *devices, message="Call us", phone_number="+49 30 1", pin="123456").content.decode()
    assert "Lock sent to 3 devices." in said
    sent = {row.channel.enrollment.device_id: row for row in Command.objects.select_related("payload")}
    texts = [stamp(sent[device.pk].payload.rendered, sent[device.pk].uuid).decode() for device in devices]
    assert ["Call us" in text for text in texts] == [True, True, False]
    assert ["123456" in text for text in texts] == [False, True, False]
    assert "123456" not in str(list(AuditEntry.objects.values_list("details", flat=True)))


def test_an_owner_changes_and_it_is_written_down(signed_in: SignedIn) -> None:
    device, client = phone(), signed_in()

    assert go(client, "ownership", device, owner="NOBODY").status_code == 422
    assert "Changed" in go(client, "ownership", device, owner="EMPLOYEE").content.decode()
    assert "It is already: Employee." in go(client, "ownership", device, owner="EMPLOYEE").content.decode()
    assert Device.objects.get().owner == Device.Owner.EMPLOYEE
    entry = AuditEntry.objects.get(action="device.owner_changed")
    assert (entry.actor, entry.details) == ("admin", {"from": "COMPANY", "to": "EMPLOYEE"})


def test_a_label_is_applied_and_taken_away(signed_in: SignedIn) -> None:
    device, client, label = phone(), signed_in(), labels.create("Sales", actor="test")

    assert go(client, "apply-label", device, label=str(label.pk + 1)).status_code == 422
    assert "Applied" in go(client, "apply-label", device, label=label.pk).content.decode()
    assert "already" in go(client, "apply-label", device, label=label.pk).content.decode()
    assert list(device.labels.all()) == [label]
    assert "Removed" in go(client, "remove-label", device, label=label.pk).content.decode()
    assert not Label.objects.get(pk=label.pk).members.exists()


def test_a_retired_device_is_deleted_and_its_enrollment_remembers(signed_in: SignedIn) -> None:
    device, client = gone(), signed_in()

    assert go(client, "delete-retired", device).status_code == 200
    assert not Device.objects.exists()
    assert Enrollment.objects.get().device is None
    assert AuditEntry.objects.filter(action="device.deleted", subject=str(device.uuid)).exists()


def test_everything_that_matches_is_what_the_address_says(signed_in: SignedIn) -> None:
    phone("a"), phone("b"), gone()
    client = signed_in()

    dialog = client.post("/admin/devices/lock", {"all": "1", "matching": "q=phone", "row": []}).content.decode()
    assert "2 devices:" in dialog
    assert "skipped" not in dialog
    nothing = client.post("/admin/devices/lock", {"row": ["x", ""]}).content.decode()
    assert "none of the chosen devices" in nothing


def test_a_dialog_for_many_asks_little_of_the_database(signed_in: SignedIn, django_assert_max_num_queries: Any) -> None:
    devices, client = [phone(f"p{index}") for index in range(20)], signed_in()
    Enrollment.objects.update(unlock_token=b"token")

    with django_assert_max_num_queries(12):
        dialog = ask(client, "unlock", *devices).content.decode()
    assert "20 devices:" in dialog
    assert "and 15 more" in dialog


def test_a_device_whose_push_token_was_refused_may_be_woken_all_the_same(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    since = timezone.now() - timedelta(days=1)
    enrollment = enrolled(device_name="phone a", mdm_managed=False, unreachable_since=since)
    channel = channel_of(enrollment)
    channel.push_token, channel.push_refused_at = b"x", since
    channel.save()
    client, device = signed_in(), device_of(enrollment)

    assert "There is no MDM certificate" in go(client, "check-in", device).content.decode()
    monkeypatch.setattr(push_certificates, "current", lambda: SimpleNamespace(topic="com.example.another"))
    assert "until it enrolls again" in go(client, "check-in", device).content.decode()
    assert not Wake.objects.exists()
    monkeypatch.setattr(push_certificates, "current", lambda: SimpleNamespace(topic=enrollment.topic))
    assert "Sent" in go(client, "check-in", device).content.decode()
    assert Wake.objects.get().channel == channel
    assert (channel_of(enrollment).push_refused_at, device_of(enrollment).unreachable_since) == (None, None)


def test_more_than_go_at_once_are_cut_and_that_is_said(signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.views.device_actions.MOST_CHOSEN", 1)
    devices, client = [phone("a"), phone("b")], signed_in()

    dialog = ask(client, "lock", *devices).content.decode()
    assert "1 device:" in dialog
    assert "An action goes to 1 ticked devices at once" in dialog


def test_whom_a_dialog_named_it_acts_on_whoever_matches_by_then(signed_in: SignedIn) -> None:
    phone("a")
    client = signed_in()
    dialog = client.post("/admin/devices/lock", {"all": "1", "matching": "q=phone"}).content.decode()
    named = dialog.partition('name="devices" value="')[2].partition('"')[0]

    late = phone("b")
    client.post("/admin/devices/lock", {"go": "1", "devices": named, "all": "1", "matching": "q=phone"})
    assert not Command.objects.filter(channel__enrollment__device=late).exists()
    assert Command.objects.count() == 1
