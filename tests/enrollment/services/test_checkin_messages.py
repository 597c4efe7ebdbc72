"""Check-in messages that change no life cycle, and what the door is told of a connect that found nothing."""

import json
from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone

from devices.door.refusals import refusal_for
from devices.errors import DeclarationGone, DeviceRefused, UnrecognizedDevice, UserNotManaged
from devices.models import Channel, Device, Enrollment, Identity, StatusReport
from devices.models.status_report import MOST_UNREAD
from devices.services import contact
from enrollment.checkin import CheckinHandlers
from enrollment.services import checkin
from enrollment.services.refusal import CheckinRefused
from epmm.gates import Overloaded
from epmm.wire.errors import WireError
from tests.enrollment.conftest import Switch, make_person
from tests.enrollment.phone import UDID, Phone, new_phone
from users.models import Role, User

pytestmark = pytest.mark.django_db


def test_bootstrap_tokens_are_kept_returned_and_deleted(phone: Phone) -> None:
    phone.enroll()
    assert b"<data>\n\t</data>" in phone.send("getbootstraptoken").body
    phone.send("setbootstraptoken")
    assert phone.reload().bootstrap_token == b"opaque-bootstrap-token"
    assert b"b3BhcXVlLWJvb3RzdHJhcC10b2tlbg==" in phone.send("getbootstraptoken").body
    phone.send("setbootstraptoken", BootstrapToken=None)
    assert phone.reload().bootstrap_token is None


def test_what_opens_somebodys_own_device_is_not_kept(switch: Switch) -> None:
    """`userenrollment: forbidden` in Apple's setbootstraptoken.yaml, and for UnlockToken in tokenupdate.yaml."""
    switch("ios.mdm.account_driven_user_enrollment", "on")
    own = new_phone(make_person(roles=(Role.AAUE,)), kind="aaue", key="own device", number=48)
    own.send("authenticate-byod-ios")
    Enrollment.objects.update(unlock_token=b"of a release that kept it")
    own.send("tokenupdate-byod-ios", UnlockToken=b"unlocks")
    own.send("setbootstraptoken", UDID=None, EnrollmentID="own device")

    assert (own.reload().unlock_token, own.reload().bootstrap_token) == (None, None)
    assert b"<data>\n\t</data>" in own.send("getbootstraptoken", UDID=None, EnrollmentID="own device").body


def test_directory_bound_users_are_not_managed(phone: Phone) -> None:
    phone.enroll()
    with pytest.raises(UserNotManaged):
        phone.send("getbootstraptoken", MessageType="UserAuthenticate", UserID="U")


def test_get_token_is_not_served(phone: Phone) -> None:
    phone.enroll()
    with pytest.raises(WireError):
        phone.send("gettoken")


@pytest.mark.django_db(transaction=True)
def test_messages_that_only_ask_need_no_transaction_around_them(phone: Phone) -> None:
    """The door calls in a thread, without one; on PostgreSQL a lock outside a transaction is an error."""
    phone.enroll()
    assert phone.send("getbootstraptoken").status == 200
    assert phone.send("dm-tokens").status == 200
    with pytest.raises(UserNotManaged):
        phone.send("getbootstraptoken", MessageType="UserAuthenticate", UserID="U")
    with pytest.raises(WireError):
        phone.send("gettoken")
    phone.send("checkout-adde")


def test_declarative_management_is_served_by_endpoint(phone: Phone) -> None:
    phone.enroll()
    told = json.loads(phone.send("dm-tokens").body)["SyncTokens"]
    items = json.loads(phone.send("dm-declaration-items").body)
    assert items["DeclarationsToken"] == told["DeclarationsToken"]
    assert {name: len(listed) for name, listed in items["Declarations"].items()} == {
        "Activations": 1,
        "Configurations": 1,
        "Assets": 0,
        "Management": 2,
    }
    assert len(told["Timestamp"]) == len("2026-11-22T10:00:00Z")
    with pytest.raises(DeclarationGone):
        phone.send("dm-declaration")
    phone.send("dm-status")
    report = StatusReport.objects.get()
    assert (b"StatusItems" in bytes(report.body), report.is_read) == (True, False)
    status = phone.send("dm-declaration", Endpoint="declaration/configuration/epmm.status").body
    assert json.loads(status)["ServerToken"] == items["Declarations"]["Configurations"][0]["ServerToken"]
    for nonsense in ("nonsense", "declaration/secret/epmm.status", "declaration/configuration/"):
        with pytest.raises(WireError):
            phone.send("dm-tokens", Endpoint=nonsense)
    with pytest.raises(DeviceRefused):
        phone.send("dm-tokens", UserID="a user without channel")


def test_a_device_whose_reports_wait_in_great_number_comes_again(phone: Phone) -> None:
    phone.enroll()
    for _ in range(MOST_UNREAD):
        assert phone.send("dm-status").status == 200

    with pytest.raises(Overloaded) as refused:
        phone.send("dm-status")

    assert refusal_for(refused.value).answer.status == 503
    assert StatusReport.objects.count() == MOST_UNREAD
    assert phone.send("dm-tokens").status == 200


@pytest.mark.parametrize(
    "example",
    [
        "dm-tokens", "dm-declaration-items", "dm-declaration", "dm-status", "getbootstraptoken", "setbootstraptoken",
        "gettoken", "authenticate-adde-ios", "tokenupdate-adde-ios",
    ],
)  # fmt: skip
def test_whatever_a_device_says_is_a_contact(phone: Phone, example: str) -> None:
    """One that only reports what it holds is not out of contact."""
    phone.enroll()
    long_ago = timezone.now() - timedelta(days=30)
    Channel.objects.update(last_seen_at=long_ago)
    Device.objects.update(last_seen_at=long_ago)
    before = timezone.now()
    with suppress(DeclarationGone, WireError):  # even if there is nothing to be had
        phone.send(example)
    contact.copy_last_seen()

    assert Channel.objects.filter(last_seen_at__gte=before).exists()
    assert Device.objects.filter(last_seen_at__gte=before).exists()


def test_a_user_without_a_channel_speaks_for_the_mac(phone: Phone) -> None:
    phone.enroll()
    Channel.objects.create(enrollment=phone.enrollment, user_key="another")
    Channel.objects.update(last_seen_at=None)
    with pytest.raises(UserNotManaged):
        phone.send("getbootstraptoken", MessageType="UserAuthenticate", UserID="U")

    assert [each.user_key for each in Channel.objects.filter(last_seen_at__isnull=False)] == [""]


def test_the_channel_that_spoke_was_heard(phone: Phone) -> None:
    phone.enroll()
    Channel.objects.create(enrollment=phone.enrollment, user_key="U")
    Channel.objects.update(last_seen_at=None)
    phone.send("dm-tokens", UserID="U")

    assert [each.user_key for each in Channel.objects.filter(last_seen_at__isnull=False)] == ["U"]


def test_a_message_that_is_refused_is_no_contact(phone: Phone) -> None:
    phone.enroll()
    Channel.objects.update(last_seen_at=None)
    with pytest.raises(CheckinRefused):
        phone.send("dm-tokens", UDID="another")
    phone.send("checkout-adde")
    with pytest.raises(UnrecognizedDevice):
        phone.send("dm-tokens")

    assert Channel.objects.get().last_seen_at is None


def test_explain_tells_the_door_what_to_answer(phone: Phone, anna: User) -> None:
    with pytest.raises(DeviceRefused):
        checkin.explain(phone.request(), UDID)  # not active yet
    phone.enroll()
    checkin.explain(phone.request(bearer=b"\3" * 32), UDID)  # only its bearer stands in the way: it may go on
    with pytest.raises(DeviceRefused):
        checkin.explain(phone.request(), "OTHER-UDID")
    with pytest.raises(DeviceRefused):
        checkin.explain(phone.request(), UDID)  # all is well, so the channel is unknown
    bens = new_phone(make_person("ben"), key="BENS-UDID", number=49)
    with pytest.raises(DeviceRefused):
        checkin.explain(phone.request(bearer=bens.bearer), UDID)
    phone.send("checkout-adde")
    with pytest.raises(UnrecognizedDevice):
        checkin.explain(phone.request(), UDID)
    with pytest.raises(DeviceRefused):
        checkin.explain(phone.request(), "OTHER-UDID")


def test_a_certificate_is_recognized_while_it_is_in_force(phone: Phone) -> None:
    assert CheckinHandlers().recognize(phone.request()) is None
    phone.enroll()
    assert CheckinHandlers().recognize(phone.request()) == Device.objects.get().pk

    phone.identity.not_after = timezone.now()
    phone.identity.save()
    for identity in (phone.identity, Identity(sha256=b"\1" * 32, der=b"x")):
        with pytest.raises(DeviceRefused):
            CheckinHandlers().recognize(phone.request(identity=identity))
