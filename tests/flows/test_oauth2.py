"""`apple-oauth2`, and devices that are asked to sign in again, by both methods."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest
from django.utils import timezone

from devices.models import Device, Enrollment
from enrollment.models import AccessToken, AuthorizationCode, RefreshToken, TokenFamily
from enrollment.services import oauth, tokens
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.messages import Channel
from enrollment.simulator.refusal import TurnedAway
from tests.flows.house import FAMILIES, HOST, PASSWORD, House, enrollment_of, person, record_of, states, switch
from tests.flows.rows import changed, rows
from users.models import User
from users.services import people

TOKEN_URL = f"https://{HOST}:8443/enroll/oauth2/token"


@pytest.fixture
def by_oauth(house: House) -> None:
    switch("ios.mdm.authentication_method", "apple-oauth2")


@pytest.fixture
def asking(house: House) -> None:
    switch("ios.mdm.reauthentication", "on")


def ask(house: House, **fields: str) -> httpx2.Response:
    return httpx2.Client(transport=house.transport).post(
        TOKEN_URL, data={"client_id": "apple-account-driven", **fields}
    )


def talking(device: SimulatedDevice) -> Channel:
    """The channel whose requests carry the token."""
    return Channel.USER if device.hardware.family.is_mac else Channel.DEVICE


def let_lapse(device: SimulatedDevice) -> None:
    """The hour is over."""
    past = timezone.now() - timedelta(seconds=1)
    enrollment = enrollment_of(device)
    AccessToken.objects.filter(enrollment=enrollment).update(lapses_at=past)
    Enrollment.objects.filter(pk=enrollment.pk).update(bearer_lapses_at=past)


@pytest.mark.parametrize("verifier", ["", "v" * 64])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_device_enrolls_and_enrolls_again(
    house: House, anna: User, by_oauth: None, family: Family, verifier: str
) -> None:
    device = house.device(family, verifier=verifier)

    for _ in range(2):
        device.enroll(password=PASSWORD)
        record = record_of(device)
        assert (record.status, record.user) == (Device.Status.ACTIVE, anna)
        assert device.refresh_token
        device.connect(talking(device))
        device.check_out()
        house.work()

    assert Device.objects.count() == 1


def test_what_was_handed_out_is_kept_as_hashes_only(house: House, anna: User, by_oauth: None) -> None:
    device = house.enrolled()

    assert [device.code, device.token, device.refresh_token] == [
        value for value in (device.code, device.token, device.refresh_token) if value
    ]
    stored = [
        bytes(row.sha256) for model in (AuthorizationCode, AccessToken, RefreshToken) for row in model.objects.all()
    ]
    assert stored == [tokens.digest(value or "") for value in (device.code, device.token, device.refresh_token)]


def test_strangers_leave_no_row(house: House, anna: User, by_oauth: None) -> None:
    device = house.device()
    device.discover()
    device.request_challenge()
    before = rows()

    for fields in (
        {"grant_type": "authorization_code", "code": "x", "redirect_uri": "y"},
        {"grant_type": "refresh_token"},
    ):
        assert ask(house, **fields).status_code == 400
    with pytest.raises(TurnedAway):
        device.sign_in(password="a wrong horse")

    assert changed(before, rows()) <= {"Attempt", "SignInBudget", "SignInFailures", "AuditEntry"}


def test_a_code_that_comes_twice_ends_what_it_led_to(house: House, anna: User, by_oauth: None) -> None:
    device = house.enrolled()
    redirect = device.asked.redirect_url if device.asked else ""

    answer = ask(house, grant_type="authorization_code", code=device.code or "", redirect_uri=redirect)

    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})
    assert TokenFamily.objects.get().revoked_at is not None
    assert ask(house, grant_type="refresh_token", refresh_token=device.refresh_token or "").status_code == 400


def test_a_code_expires(house: House, anna: User, by_oauth: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oauth, "CODE_VALID_FOR", timedelta())
    device = house.device()
    device.discover()
    device.request_challenge()

    with pytest.raises(TurnedAway) as refusal:
        device.sign_in(password=PASSWORD)

    assert (refusal.value.status, refusal.value.code) == (400, "invalid_grant")


def test_a_refresh_token_that_comes_twice_ends_its_family(house: House, anna: User, by_oauth: None) -> None:
    device = house.enrolled()
    stolen = device.refresh_token or ""
    device.renew_token()
    device.renew_token()

    assert ask(house, grant_type="refresh_token", refresh_token=stolen).json() == {"error": "invalid_grant"}
    with pytest.raises(TurnedAway):
        device.renew_token()


def test_a_renewal_whose_answer_was_lost(house: House, anna: User, by_oauth: None, asking: None) -> None:
    device = house.enrolled()
    assert ask(house, grant_type="refresh_token", refresh_token=device.refresh_token or "").status_code == 200

    device.renew_token()
    device.connect()

    assert RefreshToken.objects.filter(used_at=None).count() == 1
    RefreshToken.objects.exclude(used_at=None).update(used_at=timezone.now() - timedelta(minutes=3))
    used = RefreshToken.objects.exclude(used_at=None).get()
    assert not oauth._was_lost(used)


def test_whoever_is_disabled_renews_nothing(house: House, anna: User, by_oauth: None) -> None:
    device = house.enrolled()
    people.set_active(anna, is_active=False, actor="test")

    with pytest.raises(TurnedAway) as refusal:
        device.renew_token()

    assert refusal.value.code == "invalid_grant"


@pytest.mark.parametrize("family", FAMILIES)
def test_an_expired_token_is_renewed_without_the_person(
    house: House, anna: User, by_oauth: None, asking: None, family: Family
) -> None:
    device = house.enrolled(family)
    first = device.token
    let_lapse(device)

    device.connect(talking(device))

    assert device.token != first
    renewed = enrollment_of(device)
    assert bytes(renewed.bearer_sha256 or b"") == tokens.digest(device.token or "")
    assert renewed.bearer_lapses_at is not None
    assert renewed.bearer_lapses_at > timezone.now()
    again = device.token
    device.connect(talking(device))
    assert device.token == again


@pytest.mark.parametrize("method", ["apple-as-web", "apple-oauth2"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_person_signs_in_again(house: House, anna: User, asking: None, family: Family, method: str) -> None:
    switch("ios.mdm.authentication_method", method)
    switch("registration.terms", "on")
    device = house.enrolled(family)
    record, channel = record_of(device), talking(device)
    house.work()
    waiting = states(device, "" if channel is Channel.DEVICE else device.membership.user_id)
    let_lapse(device)
    device.refresh_token = None

    with pytest.raises(TurnedAway, match="asks the person to sign in again") as refusal:
        device.connect(channel)
    assert refusal.value.status == 401
    assert states(device, "" if channel is Channel.DEVICE else device.membership.user_id) == waiting
    if family.is_mac:
        device.connect(Channel.DEVICE)  # which carries no token and is asked for none

    device.sign_in(password=PASSWORD)
    device.connect(channel)

    assert (record_of(device), Device.objects.count(), Enrollment.objects.count()) == (record, 1, 1)
    assert anna.acceptances.get().accepted_at == record.terms_accepted_at
    assert bytes(enrollment_of(device).bearer_sha256 or b"") == tokens.digest(device.token or "")


def test_nobody_else_signs_in_again(house: House, anna: User, asking: None) -> None:
    person("bob")
    device = house.enrolled()
    let_lapse(device)
    with pytest.raises(TurnedAway):
        device.connect()

    with pytest.raises(TurnedAway) as refusal:
        device.sign_in(user="bob", password=PASSWORD, retype=True)

    assert (refusal.value.status, refusal.value.code) == (403, "E-205")


def test_who_may_not_enroll_any_more_keeps_what_is_enrolled(house: House, anna: User, asking: None) -> None:
    device = house.enrolled()
    anna.role_grants.all().delete()
    switch("registration.device_limit", "1")
    let_lapse(device)
    with pytest.raises(TurnedAway):
        device.connect()

    device.sign_in(password=PASSWORD)
    device.connect()

    assert record_of(device).status == Device.Status.ACTIVE


def test_nobody_is_asked_where_it_is_off(house: House, anna: User) -> None:
    device = house.enrolled()
    let_lapse(device)

    device.connect()
    assert enrollment_of(device).bearer_lapses_at is None
    assert device.check_in("TokenUpdate").status_code == 200


def test_a_token_that_nobody_knows_is_not_challenged(house: House, anna: User, asking: None) -> None:
    device = house.enrolled()

    for header in ("Bearer unheard-of", None, "Basic x"):
        assert device.send_status("Idle", headers={"Authorization": header}).status_code == 200


def test_somebody_elses_token_is_refused_and_not_challenged(house: House, anna: User, asking: None) -> None:
    person("bob")
    mine, theirs = house.enrolled(), house.enrolled(identifier=f"bob@{HOST}")
    let_lapse(mine)

    answer = mine.send_status("Idle", headers={"Authorization": f"Bearer {theirs.token}"})

    assert (answer.status_code, answer.content, "WWW-Authenticate" in answer.headers) == (403, b"", False)


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("TokenUpdate", 401),
        ("GetBootstrapToken", 401),
        ("DeclarativeManagement", 401),
        ("Authenticate", 200),
        ("CheckOut", 200),
    ],
)
def test_which_messages_ask(house: House, anna: User, asking: None, message: str, status: int) -> None:
    """Who is leaving may leave, and an update of the profile is not interrupted."""
    device = house.enrolled()
    let_lapse(device)
    more: dict[str, Any] = {"Endpoint": "tokens"} if message == "DeclarativeManagement" else {}

    assert device.check_in(message, **more).status_code == status


def test_a_device_that_enrolls_is_not_interrupted(house: House, anna: User, asking: None) -> None:
    device = house.device()
    device.discover()
    device.request_challenge()
    device.sign_in(password=PASSWORD)
    device.fetch_profile()
    device.get_identity()
    AccessToken.objects.update(lapses_at=timezone.now() - timedelta(seconds=1))

    device.authenticate()
    device.token_update()

    assert device.enrolled


def test_an_ended_enrollment_is_let_go_all_the_same(house: House, anna: User, asking: None) -> None:
    device = house.enrolled()
    let_lapse(device)
    Enrollment.objects.update(state=Enrollment.State.ENDED)

    answer = device.send_status("Idle")

    assert (answer.status_code, b"com.apple.unrecognized.device" in answer.content) == (403, True)


def test_old_rows_go_and_the_last_token_stays(house: House, anna: User, by_oauth: None, asking: None) -> None:
    device = house.enrolled()
    device.renew_token()
    long_ago = timezone.now() - timedelta(days=2)
    AccessToken.objects.update(lapses_at=long_ago, expires_at=long_ago)
    AuthorizationCode.objects.update(expires_at=long_ago)
    RefreshToken.objects.update(expires_at=long_ago)

    tokens.forget_old()
    oauth.forget_old()

    assert bytes(AccessToken.objects.get().sha256) == tokens.digest(device.token or "")
    assert (AuthorizationCode.objects.count(), RefreshToken.objects.count()) == (0, 0)
