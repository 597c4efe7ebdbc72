import plistlib

import pytest

from enrollment.simulator import cms
from enrollment.simulator.challenge import parse
from enrollment.simulator.hardware import Family
from enrollment.simulator.refusal import DeviceRefused, TurnedAway
from tests.enrollment.simulator.laboratory import ORIGIN, Answer, Laboratory

GOOD = f'Bearer method="apple-as-web", url="{ORIGIN}/sign-in"'


def test_device_describes_itself_under_its_own_signature(laboratory: Laboratory) -> None:
    device = laboratory.device()
    device.discover()

    device.request_challenge(OS_VERSION="17.0", LANGUAGE=None)

    (request,) = laboratory.requests_of("challenge")
    signed = cms.verify(request.content)
    described = plistlib.loads(signed.content)
    assert described["UDID"] == device.hardware.udid
    assert described["SERIAL"] == device.hardware.serial
    assert described["IMEI"] == device.hardware.imei
    assert described["OS_VERSION"] == "17.0"
    assert "LANGUAGE" not in described
    assert signed.signer.issuer == device.maker.identity.certificate.subject
    assert request.headers["Content-Type"] == "application/pkcs7-signature"
    assert request.headers["User-Agent"] == "DeviceManagementClient/1.0"


@pytest.mark.parametrize("family", list(Family))
def test_user_enrollment_sends_no_name_of_the_device(laboratory: Laboratory, family: Family) -> None:
    laboratory.version = "mdm-byod"
    device = laboratory.device(family)
    device.discover()

    device.request_challenge()

    described = plistlib.loads(cms.verify(device.enrollment_body).content)
    assert described.keys().isdisjoint({"UDID", "SERIAL", "IMEI", "MEID"})
    assert described["PRODUCT"] == device.hardware.model.product


def test_any_body_can_be_sent_and_is_sent_again(laboratory: Laboratory) -> None:
    device = laboratory.device()
    device.discover()

    device.request_challenge(b"not a message")
    device.token = "token"
    device.fetch_profile()

    assert {request.content for _, request in laboratory.requests[1:]} == {b"not a message"}


OAUTH = (
    'Bearer method="apple-oauth2", authorization-url="https://idp.example/authorize", '
    'token-url="https://idp.example/token", redirect-url="apple-remotemanagement-user-login:/oauth2/redirection", '
    'client-id="c", scope="mdm"'
)


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        ("", "not exactly one"),
        ("Basic realm=x", "not exactly one"),
        (f"{GOOD}, {GOOD}", "not exactly one"),
        (GOOD.replace(", ", " "), "commas"),
        (GOOD.replace("Bearer ", ""), "no scheme"),
        (GOOD.replace('"', ""), "RFC 9110"),
        (f'{GOOD}, method="apple-as-web"', "repeats"),
        (GOOD.replace("as-web", "as-app"), "'apple-as-app' is not"),
        (GOOD.replace("as-web", "oauth2"), "lacks authorization-url"),
        (OAUTH.replace(', scope="mdm"', ""), "lacks scope"),
        (OAUTH.replace("https://idp.example/token", "http://idp.example/token"), "token-url"),
        (OAUTH.replace("https://idp.example/authorize", "http://idp.example/authorize"), "https"),
        (OAUTH.replace("apple-remotemanagement-user-login:", "other-app:"), "redirect-url"),
        (OAUTH.replace(":/oauth2/redirection", ":"), "redirect-url"),
        (GOOD.replace("https", "http"), "https"),
        (GOOD.replace(ORIGIN, ""), "https"),
    ],
)
def test_unusable_challenge_cancels(laboratory: Laboratory, field: str, reason: str) -> None:
    laboratory.spoiled["challenge"] = lambda _: Answer(401, headers={"WWW-Authenticate": field} if field else {})
    device = laboratory.device()
    device.discover()

    with pytest.raises(DeviceRefused, match=reason):
        device.request_challenge()


@pytest.mark.parametrize("status", [200, 302, 400, 403, 500])
def test_anything_but_the_challenge_cancels(laboratory: Laboratory, status: int) -> None:
    body = {"code": "com.apple.softwareupdate.required", "message": "Update first."}
    laboratory.spoiled["challenge"] = lambda _: Answer(status, json=body)
    device = laboratory.device()
    device.discover()

    with pytest.raises(TurnedAway, match="Update first") as refusal:
        device.request_challenge()

    assert refusal.value.status == status


def test_challenges_are_read_by_the_grammar() -> None:
    found = parse(r'Basic realm="a, \"b\"" , bearer METHOD = "m",url=token,, Negotiate')

    assert [(item.scheme, dict(item.parameters)) for item in found] == [
        ("Basic", {"realm": 'a, "b"'}),
        ("bearer", {"method": "m", "url": "token"}),
        ("Negotiate", {}),
    ]
