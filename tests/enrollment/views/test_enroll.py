"""BaseURL: the table of the protocol reference, 2.1, and the second POST."""

import plistlib
from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms as asn1_cms
from django.test import Client

from devices.models import Device, Enrollment
from enrollment.models import AccessToken, Attempt, ScepChallenge
from enrollment.services import issuance, profiles
from tests import pki
from tests.enrollment.conftest import BYOD_MACHINE_INFO, MACHINE_INFO, Sheet, Switch
from tests.recorded import ENROLLMENT_REQUEST
from users.models import Role, User
from users.services import roles

pytestmark = pytest.mark.django_db


@pytest.fixture
def lab(tmp_path: Path, settings: Any) -> pki.Identity:
    """A device CA of a test laboratory, announced by EPMM_EXTRA_DEVICE_CA."""
    authority = pki.authority("Lab Device CA", key=pki.rsa_key())
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    settings.EXTRA_DEVICE_CA = tmp_path / "ca.pem"
    return authority


def signed(content: bytes, issuer: pki.Identity) -> bytes:
    device = pki.issue("device", issuer=issuer, key=pki.rsa_key(number=1))
    return pki.sign(content, device, chain=[issuer])


def post(client: Client, body: bytes, content_type: str = "application/pkcs7-signature") -> int:
    return client.post("/enroll/adde", body, content_type=content_type).status_code


def altered(body: bytes) -> bytes:
    assert b"iPhone17,1" in body
    return body.replace(b"iPhone17,1", b"iPhone17,2")


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("off", {"known": 401, "foreign": 401, "altered": 401, "plain": 401, "junk": 400}),
        ("log", {"known": 401, "foreign": 401, "altered": 401, "plain": 401, "junk": 400}),
        ("require", {"known": 401, "foreign": 403, "altered": 403, "plain": 403, "junk": 400}),
    ],
)
def test_each_body_gets_its_answer(
    client: Client, lab: pki.Identity, adde: None, switch: Switch, mode: str, expected: dict[str, int]
) -> None:
    switch("ios.mdm.machine_info_signature", mode)
    good = signed(MACHINE_INFO, lab)
    bodies = {
        "known": good,
        "foreign": signed(MACHINE_INFO, pki.authority("Stranger", key=pki.rsa_key(number=2))),
        "altered": altered(good),
        "plain": MACHINE_INFO,
        "junk": good[:700],
    }

    assert {name: post(client, body) for name, body in bodies.items()} == expected


def test_log_mode_writes_what_was_wrong_into_the_trace(client: Client, adde: None) -> None:
    post(client, MACHINE_INFO)

    step = Attempt.objects.get().steps.get()
    assert (step.step, step.result, step.code) == ("enrollment_request", "noted", "E-114")


def test_the_recorded_request_of_an_iphone_is_accepted_under_require(
    client: Client, adde: None, switch: Switch
) -> None:
    switch("ios.mdm.machine_info_signature", "require")

    assert post(client, ENROLLMENT_REQUEST) == 401


def test_one_changed_byte_of_its_content_is_refused(client: Client, adde: None, switch: Switch) -> None:
    """Every byte is tried where the signature is read; here, that the view says 403 also when nothing is readable."""
    switch("ios.mdm.machine_info_signature", "require")
    start = ENROLLMENT_REQUEST.index(b"<?xml")
    for offset in (0, 5, 100, 200, 300):
        body = bytearray(ENROLLMENT_REQUEST)
        body[start + offset] ^= 1
        assert post(client, bytes(body)) == 403


@pytest.mark.parametrize(
    "content_type", ["application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "a"]
)
def test_the_content_type_does_not_matter(client: Client, adde: None, content_type: str) -> None:
    assert post(client, MACHINE_INFO, content_type) == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"<plist><array/></plist>",
        b"<plist>" + b"<array>" * 9000,
        b"\x30\x80" * 30_000,
        b'<!DOCTYPE p [<!ENTITY a "b">]><plist><dict><key>PRODUCT</key><string>&a;</string></dict></plist>',
        plistlib.dumps({"PRODUCT": 7}),
        plistlib.dumps({"UDID": b"bytes"}),
        b"x" * 70_000,
    ],
    ids=["empty", "text", "array", "deep", "deep BER", "entity", "number", "data", "large"],
)
def test_hostile_bodies_are_a_400(client: Client, adde: None, body: bytes) -> None:
    assert post(client, body) == 400


def test_the_challenge_leads_to_the_sign_in(sheet: Sheet) -> None:
    sheet.discover()
    answer = sheet.post()

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith(
        'Bearer method="apple-as-web", url="https://mdm.example.test:8443/enroll/sign-in/'
    )
    assert sheet.open_page().status_code == 200


@pytest.mark.parametrize("token", ["x", "not a token", "A" * 43, "=="])
def test_a_wrong_token_restarts_the_sign_in(sheet: Sheet, token: str) -> None:
    sheet.discover()
    answer = sheet.post(token)

    assert answer.status_code == 401
    assert "apple-as-web" in answer["WWW-Authenticate"]


def test_get_is_not_allowed(client: Client) -> None:
    assert client.get("/enroll/adde").status_code == 405


def profile_of(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/x-apple-aspen-config"
    signed_data = asn1_cms.ContentInfo.load(answer.content)["content"]
    value: dict[str, Any] = plistlib.loads(signed_data["encap_content_info"]["content"].native)
    return value


def test_the_token_brings_the_profile(sheet: Sheet, anna: User) -> None:
    profile = profile_of(sheet.post(sheet.until_token()))

    scep, mdm = profile["PayloadContent"]
    assert mdm["EnrollmentMode"] == "ADDE"
    assert mdm["AssignedManagedAppleID"] == "anna@mdm.example.test"
    assert mdm["AccessRights"] == 8191
    assert mdm["ServerURL"] == "https://mdm.example.test:8443/mdm/connect"
    assert mdm["CheckInURL"] == "https://mdm.example.test:8443/mdm/checkin"
    assert scep["PayloadContent"]["URL"] == "https://mdm.example.test:8443/scep"
    enrollment = Enrollment.objects.get()
    assert (enrollment.user, enrollment.state) == (anna, Enrollment.State.PENDING)
    assert Device.objects.get().status == Device.Status.IENROLL_INPROGRESS
    assert Attempt.objects.get().state == Attempt.State.WAITING_FOR_APPLE


def test_a_lost_profile_is_fetched_again_the_same_to_the_byte(sheet: Sheet) -> None:
    token = sheet.until_token()

    assert profile_of(sheet.post(token)) == profile_of(sheet.post(token))
    assert Enrollment.objects.count() == ScepChallenge.objects.count() == 1


def test_signing_can_be_switched_off(sheet: Sheet, switch: Switch) -> None:
    switch("enrollment.sign_profile", "off")

    assert plistlib.loads(sheet.post(sheet.until_token()).content)["PayloadType"] == "Configuration"


def test_the_tls_certificate_signs_when_it_is_at_hand(sheet: Sheet, settings: Any, tmp_path: Path) -> None:
    signer = pki.issue("mdm.example.test")
    (tmp_path / "c.pem").write_bytes(signer.pem)
    (tmp_path / "k.pem").write_bytes(signer.key_pem)
    settings.SIGNING_CERTIFICATE, settings.SIGNING_KEY = tmp_path / "c.pem", tmp_path / "k.pem"
    answer = sheet.post(sheet.until_token())

    (included,) = asn1_cms.ContentInfo.load(answer.content)["content"]["certificates"]
    assert included.chosen.dump() == signer.der


def test_a_token_of_another_sign_in_is_refused(sheet: Sheet, client: Client) -> None:
    token = sheet.until_token()
    other = Sheet(client, identifier="someone@mdm.example.test")
    other.discover()

    assert other.post(token).status_code == 401
    assert not Enrollment.objects.exists()


def test_a_token_for_device_enrollment_brings_no_user_enrollment(sheet: Sheet) -> None:
    token = sheet.until_token()
    sheet.base = sheet.base.replace("/adde/", "/aaue/")

    assert sheet.post(token).status_code == 401


def test_a_revoked_token_is_refused(sheet: Sheet) -> None:
    token = sheet.until_token()
    row = AccessToken.objects.get()
    row.revoked_at = row.created_at
    row.save()

    assert sheet.post(token).status_code == 401


def test_an_unfetched_token_expires(sheet: Sheet) -> None:
    token = sheet.until_token()
    AccessToken.objects.update(expires_at="2020-01-01T00:00:00Z")

    assert sheet.post(token).status_code == 401


def test_a_role_taken_away_in_between_stops_the_profile(sheet: Sheet, anna: User) -> None:
    token = sheet.until_token()
    roles.remove(anna, [Role.ADDE], actor="test")

    assert sheet.post(token).status_code == 403
    assert Attempt.objects.get().last_code == "E-303"


def test_the_tokens_of_an_ended_enrollment_are_dead(sheet: Sheet) -> None:
    token = sheet.until_token()
    profile_of(sheet.post(token))
    Enrollment.objects.update(state=Enrollment.State.ENDED)

    assert sheet.post(token).status_code == 401


def test_only_the_hash_of_a_token_is_kept(sheet: Sheet) -> None:
    token = sheet.until_token()

    assert token.encode() not in bytes(AccessToken.objects.get().sha256)
    assert len(token) >= 43


def test_the_profile_grants_the_rights_that_were_chosen(sheet: Sheet, anna: User, switch: Switch) -> None:
    switch("ios.mdm.access_rights", "1,2,16,1024")
    _scep, mdm = profile_of(sheet.post(sheet.until_token()))["PayloadContent"]
    switch("ios.mdm.access_rights", "1,2,16")

    assert mdm["AccessRights"] == 1043
    enrollment = Enrollment.objects.get()
    assert enrollment.access_rights == 1043
    # a renewed profile keeps what the device was told when it enrolled
    assert b"<integer>1043</integer>" in profiles.renew(enrollment, issuance.new_challenge(enrollment))


def test_user_enrollment_brings_no_access_rights(client: Client, anna: User, switch: Switch) -> None:
    switch("ios.mdm.account_driven_user_enrollment", "on")
    roles.grant(anna, [Role.AAUE], actor="test")
    sheet = Sheet(client)
    sheet.body = BYOD_MACHINE_INFO

    mdm = profile_of(sheet.post(sheet.until_token()))["PayloadContent"][1]
    assert mdm["EnrollmentMode"] == "BYOD"
    assert "AccessRights" not in mdm


def test_a_device_that_can_update_first_is_told_to(client: Client, adde: None, switch: Switch) -> None:
    switch("registration.minimum_os", "iOS=18.4")
    info = plistlib.loads(MACHINE_INFO) | {"MDM_CAN_REQUEST_SOFTWARE_UPDATE": True}
    answer = client.post("/enroll/adde", plistlib.dumps(info), content_type="application/xml")

    assert answer.status_code == 403
    assert answer.json()["code"] == "com.apple.softwareupdate.required"
    assert answer.json()["details"] == {"OSVersion": "18.4"}


def test_without_a_trace_the_enrollment_goes_on(sheet: Sheet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("enrollment.services.trace.PER_NETWORK_AND_HOUR", 0)

    sheet.post()
    assert not Attempt.objects.exists()
    profile_of(sheet.post(sheet.until_token()))
    attempt = Attempt.objects.get()  # of somebody known by now, however many strangers there were
    assert [step.step for step in attempt.steps.all()] == ["credentials", "policy", "token", "profile"]


def test_a_body_altered_beyond_reading_is_still_a_cms(client: Client, adde: None) -> None:
    """The table speaks of the signature; that the content is no property list any more does not matter to it."""
    body = ENROLLMENT_REQUEST.replace(b"<plist", b"<pl1st")
    assert post(client, body) == 401
    step = Attempt.objects.get().steps.get()
    assert (step.result, step.code) == ("noted", "E-113")
