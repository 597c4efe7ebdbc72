"""The matrix of the protocol reference, 5.4, and the life cycle."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from devices.errors import DeviceRefused, UnrecognizedDevice
from devices.models import Channel, Command, Device, Enrollment, Identity
from enrollment.models import AccessToken, Attempt
from enrollment.services import checkin, trace
from epmm import settings_store
from epmm.wire.errors import WireError
from tests.enrollment.conftest import Switch, make_person
from tests.enrollment.phone import UDID, Phone, new_phone
from users.models import Role, User
from users.services import roles

pytestmark = pytest.mark.django_db


def test_the_settings_say_who_owns_a_device(phone: Phone) -> None:
    settings_store.change("registration.owner", "EMPLOYEE", actor="test")
    phone.send("authenticate-adde-ios")
    phone.send("tokenupdate-adde-ios")

    assert Device.objects.get().owner == Device.Owner.EMPLOYEE


def test_authenticate_then_token_update_makes_an_active_device(phone: Phone, anna: User) -> None:
    phone.send("authenticate-adde-ios")
    assert phone.reload().state == Enrollment.State.AUTHENTICATED
    assert not Command.objects.exists()
    phone.send("tokenupdate-adde-ios")

    device = Device.objects.get()
    assert (device.status, device.mdm_managed, device.user) == (Device.Status.ACTIVE, True, anna)
    assert (device.udid, device.serial_number, device.os_version) == (UDID, "TESTSERIAL01", "18.2")
    assert (device.enrollment_type, device.owner, device.platform) == ("adde", "COMPANY", "iOS")
    assert device.managed_apple_account == "anna@mdm.example.test"
    assert device.os_version_number == 18_002_000
    assert phone.reload().unlock_token == b"opaque-unlock-token"
    channel = Channel.objects.get()
    assert bytes(channel.push_token or b"") == bytes(range(32))
    assert channel.push_magic == b"D1E2F3A4-0000-4000-8000-000000000001"
    assert set(Command.objects.values_list("request_type", flat=True)) == {
        "DeviceInformation",
        "SecurityInfo",
        "InstalledApplicationList",
        "ProfileList",
        "CertificateList",
    }


def test_repeats_after_lost_answers_change_nothing(phone: Phone) -> None:
    phone.send("authenticate-adde-ios")
    phone.send("authenticate-adde-ios")
    phone.send("tokenupdate-adde-ios")
    phone.send("tokenupdate-adde-ios")

    assert Device.objects.count() == 1
    assert Command.objects.count() == 5


def test_where_its_last_token_update_came_from_stands_with_the_device(phone: Phone) -> None:
    phone.enroll()
    changed = Device.objects.get().modified_at
    for address, known in (("10.0.0.7", "10.0.0.7"), (None, "10.0.0.7"), ("FE80::1%en0", "fe80::1")):
        phone.address = address
        phone.send("tokenupdate-adde-ios")
        assert Device.objects.get().ip_address == known
    moved = Device.objects.get().modified_at
    phone.send("tokenupdate-adde-ios")

    assert changed < moved == Device.objects.get().modified_at


@pytest.mark.parametrize("told", [None, b""])
def test_a_missing_or_empty_unlock_token_keeps_the_stored_one(phone: Phone, told: bytes | None) -> None:
    phone.enroll()
    phone.send("tokenupdate-adde-ios", UnlockToken=told, PushMagic="new")

    assert phone.reload().unlock_token == b"opaque-unlock-token"
    assert Channel.objects.get().push_magic == b"new"


@pytest.mark.parametrize("told", [{"Token": b""}, {"PushMagic": ""}])
def test_a_token_update_that_could_wake_nobody_is_refused(phone: Phone, told: dict[str, Any]) -> None:
    phone.enroll()
    with pytest.raises(WireError, match="empty"):
        phone.send("tokenupdate-adde-ios", **told)

    assert Channel.objects.get().push_token


def test_a_mac_has_channels_of_its_own(anna: User, adde: None) -> None:
    mac = new_phone(anna, key="6C1F7E0A-93B4-5C0E-8E1B-2D9A4F7C1B33")
    mac.send("authenticate-adde-macos", bearer=None)
    mac.send("tokenupdate-adde-ios", bearer=None, UnlockToken=None)
    mac.send("tokenupdate-adde-macos-user")

    assert Device.objects.get().platform == "macOS"
    device, user = Channel.objects.order_by("user_key")
    assert (device.user_key, user.user_key) == ("", "F17C470A-3ADC-47EC-A7CC-D432867F4793")
    assert (user.user_short_name, user.user_long_name) == ("anna", "Anna Example")
    assert device.push_token != user.push_token


def test_user_enrollment_is_keyed_by_its_enrollment_id(anna: User, switch: Switch) -> None:
    switch("ios.mdm.account_driven_user_enrollment", "on")
    roles.grant(anna, [Role.AAUE], actor="test")
    for key in ("5B0F6B0C-0000-0000-0000-000000000001", "5B0F6B0C-0000-0000-0000-000000000002"):
        phone = new_phone(anna, kind="aaue", key=key)
        phone.send("authenticate-byod-ios", SerialNumber="FORBIDDEN", IMEI="1")
        phone.send("tokenupdate-byod-ios")

    assert Device.objects.count() == 2  # new each time
    device = Device.objects.first()
    assert device is not None
    assert (device.udid, device.serial_number, device.imei, device.owner) == ("", "", "", "EMPLOYEE")
    assert device.enrollment_type == "aaue"


# --- Who may not ------------------------------------------------------------------------------------------------------


def test_token_update_before_authenticate_is_refused(phone: Phone) -> None:
    with pytest.raises(DeviceRefused):
        phone.send("tokenupdate-adde-ios")


def test_a_certificate_that_we_did_not_issue_is_refused(phone: Phone) -> None:
    stranger = Identity(sha256=b"\1" * 32, der=b"x")
    with pytest.raises(DeviceRefused):
        phone.send("authenticate-adde-ios", identity=stranger)


def test_a_fingerprint_that_is_not_of_its_certificate_fails_the_chain(phone: Phone) -> None:
    Identity.objects.update(der=b"not a certificate")
    with pytest.raises(DeviceRefused):
        phone.send("authenticate-adde-ios", identity=Identity.objects.get())


def test_the_certificate_of_another_device_is_refused_and_traced(phone: Phone, anna: User) -> None:
    phone.enroll()
    other = new_phone(anna, key="OTHER-UDID", number=42)
    other.send("authenticate-adde-ios", SerialNumber="OTHERSERIAL")
    attempt = trace.open_attempt(address=None)
    assert attempt is not None
    trace.move(attempt, Attempt.State.OPEN, enrollment=other.enrollment)

    for example in ("authenticate-adde-ios", "tokenupdate-adde-ios"):
        with pytest.raises(DeviceRefused):
            other.send(example, UDID=UDID)
    assert attempt.steps.filter(code="E-502").count() == 2
    assert phone.reload().state == Enrollment.State.ACTIVE


def test_an_expired_certificate_is_refused_unless_administrators_let_its_device_go_on(
    phone: Phone, switch: Switch
) -> None:
    phone.enroll()
    Identity.objects.update(not_after=timezone.now() - timedelta(seconds=1))
    with pytest.raises(DeviceRefused):
        phone.send("tokenupdate-adde-ios")

    switch("ios.mdm.deny_expired_identities", "off")
    phone.send("tokenupdate-adde-ios")


@pytest.mark.parametrize(
    "changes",
    [{"Topic": "com.apple.mgmt.External.other"}, {"UDID": None, "EnrollmentID": "E"}],
)
def test_a_message_that_does_not_fit_its_enrollment_is_refused(phone: Phone, changes: dict[str, Any]) -> None:
    with pytest.raises(DeviceRefused):
        phone.send("authenticate-adde-ios", **changes)
    assert phone.reload().state == Enrollment.State.PENDING


def test_another_persons_bearer_is_refused_and_a_dead_one_is_not(phone: Phone) -> None:
    phone.send("authenticate-adde-ios")
    bens = new_phone(make_person("ben"), key="BENS-UDID", number=43)
    with pytest.raises(DeviceRefused):
        phone.send("tokenupdate-adde-ios", bearer=bens.bearer)

    phone.send("tokenupdate-adde-ios", bearer=b"\2" * 32)
    assert phone.reload().state == Enrollment.State.ACTIVE


def test_policy_is_asked_again_at_authenticate(phone: Phone, anna: User) -> None:
    roles.remove(anna, [Role.ADDE], actor="test")
    with pytest.raises(DeviceRefused):
        phone.send("authenticate-adde-ios")


def test_the_device_limit_holds_at_authenticate(phone: Phone, anna: User, switch: Switch) -> None:
    second = new_phone(anna, key="SECOND", number=44)
    phone.enroll()
    switch("registration.device_limit", "1")
    with pytest.raises(DeviceRefused):
        second.send("authenticate-adde-ios", SerialNumber="S2")


# --- Again, and by somebody else --------------------------------------------------------------------------------------


def test_enrolling_again_continues_the_record_and_takes_over_at_its_token_update(phone: Phone, anna: User) -> None:
    phone.enroll()
    record = Device.objects.get()
    again = new_phone(anna, number=45)
    again.send("authenticate-adde-ios")
    assert phone.reload().state == Enrollment.State.ACTIVE
    assert Command.objects.filter(channel__enrollment=phone.enrollment).count() == 5
    again.send("tokenupdate-adde-ios", UnlockToken=None)

    assert Device.objects.get() == record
    assert phone.reload().state == Enrollment.State.ENDED
    assert Command.objects.filter(channel__enrollment=phone.enrollment).count() == 0
    assert again.reload().state == Enrollment.State.ACTIVE
    assert again.reload().unlock_token is None  # secrets do not pass
    with pytest.raises(UnrecognizedDevice):
        phone.send("tokenupdate-adde-ios")


def test_two_phones_that_came_from_one_sign_in_page_get_a_record_each(anna: User, adde: None) -> None:
    waiting = Device.objects.create(user=anna, status=Device.Status.IENROLL_VERIFIED)
    phones = [new_phone(anna, key=key, number=number) for key, number in (("FIRST", 50), ("SECOND", 51))]
    Enrollment.objects.update(device=waiting)
    for each in phones:
        each.send("authenticate-adde-ios", SerialNumber=each.key)
    for each in phones:
        each.send("tokenupdate-adde-ios")

    records = Device.objects.filter(mdm_managed=True)
    assert set(records.values_list("udid", "serial_number")) == {("FIRST", "FIRST"), ("SECOND", "SECOND")}


def test_checking_out_retires_and_enrolling_again_works_at_once(phone: Phone, anna: User) -> None:
    phone.enroll()
    phone.send("checkout-adde")
    device = Device.objects.get()
    assert (device.status, device.mdm_managed) == (Device.Status.RETIRED, False)
    assert device.retired_reason == "user removed management"
    assert Command.objects.count() == 0
    assert AccessToken.objects.live().count() == 0
    phone.send("checkout-adde")  # the answer was lost
    with pytest.raises(UnrecognizedDevice):
        phone.send("tokenupdate-adde-ios")

    Device.objects.update(enrollment_failed_at=device.retired_at)

    new_phone(anna, number=46).enroll()
    device.refresh_from_db()
    assert (device.status, device.retired_at, device.retired_reason) == (Device.Status.ACTIVE, None, "")
    assert device.enrollment_failed_at is None
    assert Device.objects.count() == 1


def test_check_out_for_another_device_is_refused(phone: Phone) -> None:
    phone.enroll()
    with pytest.raises(DeviceRefused):
        phone.send("checkout-adde", UDID="OTHER")


def test_a_user_of_a_mac_does_not_end_its_management(phone: Phone) -> None:
    """Apple's checkout.yaml: `devicechannel: true`, `userchannel: false`."""
    phone.enroll()
    with pytest.raises(DeviceRefused):
        phone.send("checkout-adde", UserID="8D0C0F4E-0001-4000-8000-000000000001", UserShortName="anna")
    assert phone.reload().state == Enrollment.State.ACTIVE


def test_a_udid_active_under_another_person_is_a_conflict(phone: Phone) -> None:
    phone.enroll()
    thief = new_phone(make_person("ben"), number=47)
    with pytest.raises(DeviceRefused):
        thief.send("authenticate-adde-ios")
    assert phone.reload().state == Enrollment.State.ACTIVE
    assert Device.objects.filter(mdm_managed=True).get().user.user_id == "anna"


def test_one_that_no_push_reaches_is_active_all_the_same(phone: Phone) -> None:
    phone.enroll()
    since = timezone.now()
    Device.objects.update(mdm_managed=False, unreachable_since=since, status=Device.Status.ACTIVE)
    thief = new_phone(make_person("ben"), number=47)
    with pytest.raises(DeviceRefused):
        thief.send("authenticate-adde-ios")

    phone.send("authenticate-adde-ios")
    device = Device.objects.get()
    assert (device.status, device.unreachable_since) == (Device.Status.ACTIVE, since)


def test_whoever_enrolls_anew_leaves_the_record_as_it_is_until_the_end(phone: Phone, anna: User) -> None:
    """While the older enrollment is in force, also where no push reaches it."""
    phone.enroll()
    Device.objects.update(mdm_managed=False, unreachable_since=timezone.now())
    younger = Device.objects.create(user=anna, udid=UDID, status=Device.Status.RETIRED)
    again = new_phone(anna, number=46)
    again.send("authenticate-adde-ios")

    record = phone.reload().device
    assert record is not None
    assert (record.status, again.reload().device) == (Device.Status.ACTIVE, record)
    again.send("tokenupdate-adde-ios")
    record.refresh_from_db()
    assert (record.mdm_managed, record.unreachable_since) == (True, None)
    younger.refresh_from_db()
    assert younger.status == Device.Status.RETIRED


def test_take_over_by_another_person_when_allowed(phone: Phone, switch: Switch) -> None:
    phone.enroll()
    switch("enrollment.allow_takeover", "on")
    ben = new_phone(make_person("ben"), number=48)
    ben.send("authenticate-adde-ios")
    assert phone.reload().state == Enrollment.State.ACTIVE
    ben.send("tokenupdate-adde-ios")

    assert phone.reload().end_reason == "taken over by another person"
    annas, bens = Device.objects.order_by("pk")
    assert (annas.status, bens.status) == (Device.Status.RETIRED, Device.Status.ACTIVE)
    assert bens.user.user_id == "ben"


def test_whether_a_person_may_take_over_is_asked_again_at_the_end(phone: Phone, switch: Switch) -> None:
    """Two Authenticates may pass at once; only one of them may come into force."""
    phone.enroll()
    switch("enrollment.allow_takeover", "on")
    thief = new_phone(make_person("ben"), number=49)
    thief.send("authenticate-adde-ios")
    switch("enrollment.allow_takeover", "off")
    with pytest.raises(DeviceRefused):
        thief.send("tokenupdate-adde-ios")

    assert phone.reload().state == Enrollment.State.ACTIVE
    assert Device.objects.get(mdm_managed=True).user.user_id == "anna"


def test_devices_that_passed_the_limit_together_are_counted_one_by_one(
    phone: Phone, anna: User, switch: Switch
) -> None:
    switch("registration.device_limit", "1")
    second = new_phone(anna, key="SECOND", number=51)
    phone.send("authenticate-adde-ios")
    second.send("authenticate-adde-ios", SerialNumber="S2")
    phone.send("tokenupdate-adde-ios")
    with pytest.raises(DeviceRefused):
        second.send("tokenupdate-adde-ios")

    assert Device.objects.enrolled().count() == 1
    assert not Channel.objects.filter(enrollment=second.enrollment).exists()


def test_an_iphone_has_no_users(phone: Phone) -> None:
    phone.enroll()
    with pytest.raises(DeviceRefused):
        phone.send("tokenupdate-adde-macos-user")


def test_a_mac_has_so_many_users(anna: User, adde: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkin, "USERS_OF_A_MAC", 2)
    mac = new_phone(anna, number=52)
    mac.send("authenticate-adde-macos")
    mac.send("tokenupdate-adde-ios", UnlockToken=None)
    for user in ("one", "two", "one"):
        mac.send("tokenupdate-adde-macos-user", UserID=user)
    with pytest.raises(DeviceRefused):
        mac.send("tokenupdate-adde-macos-user", UserID="three")
