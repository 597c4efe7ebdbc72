"""Actions on the record of a device: its user, a comment, lost and found, and what happens meanwhile."""

import pytest

from devices.models import ConfigurationDelivery, Device, Enrollment
from devices.services import configurations, search
from devices.services.actions import BY_KEY
from devices.services.send import prepare, send
from epmm.models import AuditEntry
from tests.devices.configuration.profiles import profile
from tests.devices.services.rows import person
from tests.flows.house import HOST, House, record_of
from tests.flows.house import PASSWORD as HOUSE_PASSWORD
from tests.flows.house import person as account
from tests.portal.conftest import SignedIn
from tests.portal.test_devices_actions import ask, go, gone, phone, told
from users.models import User
from users.services import people

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_record_passes_to_another_user_with_what_is_found_of_them(signed_in: SignedIn) -> None:
    client, device = signed_in(), gone()
    bert = User.objects.create(user_id="bert", full_name="Bert Müller", email="bert@mail.example")

    dialog = ask(client, "user", device).content.decode()
    assert "What does not change: earlier enrollments" in dialog
    assert "There is no user nobody." in go(client, "user", device, user="nobody").content.decode()
    assert "Change user: done for 1 device." in go(client, "user", device, user="BERT").content.decode()
    assert "It is theirs already." in go(client, "user", device, user="bert").content.decode()

    device.refresh_from_db()
    assert device.user == bert
    assert (device.user_id_folded, device.user_name_folded) == ("bert", "bert müller")
    assert "bert@mail.example" in device.search_text
    assert "gone" in client.get("/admin/devices?retired=1&q=bert").content.decode()
    assert Enrollment.objects.get().user.user_id != "bert"
    entry = AuditEntry.objects.get(action="device.user_changed")
    assert (entry.actor, entry.subject, entry.details["to"]) == ("admin", str(device.uuid), "bert")


@pytest.mark.parametrize("status", Device.PROVISIONAL)
def test_whoever_is_enrolling_a_device_keeps_it(signed_in: SignedIn, status: Device.Status) -> None:
    device, client = phone(status=status, mdm_managed=False), signed_in()
    User.objects.create(user_id="bert")

    assert "Retire it, then the other user can sign in" in ask(client, "user", device).content.decode()
    go(client, "user", device, user="bert")
    assert Device.objects.get().user == device.user


def test_an_enrollment_that_begins_meanwhile_keeps_its_person(signed_in: SignedIn) -> None:
    device, client = gone(), signed_in()
    User.objects.create(user_id="bert")
    Enrollment.objects.update(state=Enrollment.State.AUTHENTICATED)

    assert "It is enrolled with" in go(client, "user", device, user="bert").content.decode()
    assert Device.objects.get().user == device.user


def test_nobody_gets_a_second_record_of_a_device_or_a_device_while_disabled(signed_in: SignedIn) -> None:
    device, client = gone(), signed_in()
    bert = User.objects.create(user_id="bert", full_name="Bert")
    Device.objects.create(user=bert, udid="gone", status=Device.Status.RETIRED)

    assert "Bert has a record of this very device already." in go(client, "user", device, user="bert").content.decode()
    people.set_active(bert, is_active=False, actor="test")
    assert go(client, "user", device, user="bert").status_code == 422
    assert Device.objects.get(pk=device.pk).user == device.user


def test_a_comment_is_written_found_changed_and_taken_away(signed_in: SignedIn) -> None:
    device, client = phone(), signed_in()

    assert "Comment: done for 1 device." in go(client, "comment", device, comment=" Größter Kratzer ").content.decode()
    assert "It says so already." in go(client, "comment", device, comment="Größter Kratzer").content.decode()
    assert "Größter Kratzer</textarea>" in ask(client, "comment", device).content.decode()
    for address in ("", "/comments"):
        assert "Größter Kratzer" in client.get(f"/admin/devices/{device.uuid}{address}").content.decode()
    found = search.matching('"common.comment" "contains" "GRÖSSTER"', exclude_retired=True)
    assert list(found) == [device]
    assert go(client, "comment", device, comment="x" * 4_001).status_code == 422
    go(client, "comment", device, comment="")
    device.refresh_from_db()
    assert (device.comment, device.comment_folded) == ("", "")
    assert "Nobody has written anything" in client.get(f"/admin/devices/{device.uuid}/comments").content.decode()
    assert AuditEntry.objects.filter(action="device.commented", actor="admin").count() == 2


def test_a_device_is_lost_and_found(signed_in: SignedIn) -> None:
    device, client = phone(), signed_in()

    assert "Lost: done for 1 device." in go(client, "lost", device).content.decode()
    device.refresh_from_db()
    assert device.status == Device.Status.LOST
    assert device.lost_at is not None
    assert "Lost since" in client.get(f"/admin/devices/{device.uuid}").content.decode()
    assert Device.objects.enrolled().get() == device

    go(client, "found", device)
    device.refresh_from_db()
    assert [device.status, device.lost_at] == [Device.Status.ACTIVE, None]
    assert set(AuditEntry.objects.filter(subject=str(device.uuid)).values_list("action", flat=True)) == {
        "device.lost",
        "device.found",
    }


@pytest.mark.parametrize(("is_lost", "remaining"), [(True, Device.Status.LOST), (False, Device.Status.ACTIVE)])
def test_a_wipe_that_is_cancelled_leaves_a_lost_device_lost(
    signed_in: SignedIn, *, is_lost: bool, remaining: Device.Status
) -> None:
    device, client = phone(), signed_in()
    if is_lost:
        go(client, "lost", device)
    row = send(prepare(device, "EraseDevice"), actor="admin")
    assert Device.objects.get().status == Device.Status.WIPE_PENDING

    client.post(f"/admin/devices/{device.uuid}/commands/{row.pk}/cancel")
    assert Device.objects.get().status == remaining


def test_profiles_that_are_there_are_installed_again(house: House, signed_in: SignedIn) -> None:
    account()
    phone = house.enrolled()
    told(house, phone)
    device, client = record_of(phone), signed_in()
    assert "No configuration is assigned to it" in go(client, "push-profiles", device).content.decode()
    configurations.assign(configurations.upload(profile(), actor="test").configuration, device, actor="test")
    assert told(house, phone) == ["InstallProfile"]

    assert told(house, phone) == []
    assert "Push Profiles sent to 1 device." in go(client, "push-profiles", device).content.decode()
    assert told(house, phone) == ["InstallProfile"]
    assert ConfigurationDelivery.objects.get().state == ConfigurationDelivery.State.APPLIED
    assert AuditEntry.objects.get(action="device.profiles_pushed").details == {"configurations": 1}


def test_a_record_that_was_passed_on_is_taken_up_when_its_new_user_enrolls(house: House, signed_in: SignedIn) -> None:
    account(), account("bert")
    phone, client = house.enrolled(), signed_in()
    device = record_of(phone)
    go(client, "retire", device, at_once="on")
    assert "Change user: done for 1 device." in go(client, "user", device, user="bert").content.decode()

    again = house.device(identifier=f"bert@{HOST}", hardware=phone.hardware)
    again.enroll(password=HOUSE_PASSWORD)
    assert record_of(again) == device
    assert (record_of(again).user.user_id, record_of(again).managed_apple_account) == ("bert", f"bert@{HOST}")
    assert "Retire it, then the other user can sign in" in ask(client, "user", device).content.decode()


@pytest.mark.parametrize("key", ["ownership", "user", "comment"])
def test_a_record_that_is_deleted_meanwhile_is_passed_over(
    signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    device, client = gone(), signed_in()
    person("bert")

    def nothing(_action: object, _subject: object) -> None:
        Device.objects.all().delete()

    monkeypatch.setattr(type(BY_KEY[key]), "why_not", nothing)

    said = go(client, key, device, owner="EMPLOYEE", user="bert", comment="x")
    assert said.status_code == 200
    assert "This record has been deleted meanwhile." in said.content.decode()
