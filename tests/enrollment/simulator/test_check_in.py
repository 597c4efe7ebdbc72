import base64
import plistlib
import urllib.parse
from typing import Any

import httpx2
import pytest
from cryptography import x509

from enrollment.simulator import cms
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.hardware import Family
from enrollment.simulator.identity import forge
from enrollment.simulator.mdm_link import Proof
from enrollment.simulator.messages import Channel
from enrollment.simulator.refusal import DeviceRefused, NoAnswer, TurnedAway
from tests.enrollment.simulator.laboratory import ORIGIN, PASSWORD, TOPIC, Answer, Laboratory

UNRECOGNIZED = {"code": "com.apple.unrecognized.device"}


@pytest.fixture
def device(laboratory: Laboratory) -> SimulatedDevice:
    device = laboratory.device()
    device.enroll(password=PASSWORD)
    return device


def test_messages_hold_the_keys_of_an_iphone(laboratory: Laboratory, device: SimulatedDevice) -> None:
    authenticate, token_update = laboratory.check_ins

    hardware = device.hardware
    assert authenticate == {
        "MessageType": "Authenticate",
        "Topic": TOPIC,
        "UDID": hardware.udid,
        "OSVersion": hardware.model.os_version,
        "BuildVersion": hardware.model.build,
        "ProductName": hardware.model.product,
        "SerialNumber": hardware.serial,
        "IMEI": hardware.imei,
    }
    assert token_update.keys() == {
        "MessageType",
        "Topic",
        "UDID",
        "Token",
        "PushMagic",
        "UnlockToken",
        "AwaitingConfiguration",
    }
    assert laboratory.requests_of("check-in")[0].headers["Content-Type"] == "application/x-apple-aspen-mdm-checkin"


def test_messages_hold_the_keys_of_a_mac(laboratory: Laboratory) -> None:
    laboratory.device(Family.MAC).enroll(password=PASSWORD)

    authenticate, token_update, of_user, _ = laboratory.check_ins
    assert {"DeviceName", "Model", "ModelName", "SerialNumber"} <= authenticate.keys()
    assert "IMEI" not in authenticate
    assert "UnlockToken" not in token_update
    assert {"UserID", "UserShortName", "UserLongName", "NotOnConsole"} <= of_user.keys()


def test_access_rights_decide_what_is_told(laboratory: Laboratory) -> None:
    laboratory.profile_change = lambda keys: keys["PayloadContent"][1].update(AccessRights=1)

    laboratory.device().enroll(password=PASSWORD)

    assert laboratory.check_ins[0].keys() == {"MessageType", "Topic", "UDID"}
    assert "UnlockToken" not in laboratory.check_ins[1]


def test_any_key_can_be_changed_or_left_out(laboratory: Laboratory, device: SimulatedDevice) -> None:
    response = device.check_in("TokenUpdate", UDID="another", Token=None, Extra=[1], headers={"Authorization": None})

    assert response.status_code == 200
    sent = laboratory.check_ins[-1]
    assert (sent["UDID"], sent["Extra"]) == ("another", [1])
    assert "Token" not in sent
    assert "Authorization" not in laboratory.requests_of("check-in")[-1].headers


def test_signature_covers_the_body(laboratory: Laboratory, device: SimulatedDevice) -> None:
    request = laboratory.requests_of("check-in")[0]
    detached = base64.b64decode(request.headers["Mdm-Signature"])

    with pytest.raises(cms.CmsError, match="not what was signed"):
        cms.verify(detached)  # without the body there is nothing that it signs
    assert b"anna" not in detached
    assert device.identity is not None
    assert device.identity.der in detached


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
@pytest.mark.parametrize("attributes", [True, False])
def test_form_of_the_signature_can_be_chosen(
    laboratory: Laboratory, device: SimulatedDevice, digest: cms.DigestName, *, attributes: bool
) -> None:
    device.message_form = cms.SignatureForm(digest=digest, signed_attributes=attributes)

    device.token_update()

    header = base64.b64decode(laboratory.requests_of("check-in")[-1].headers["Mdm-Signature"])
    info = cms.load_message(header, "signed_data")["signer_infos"][0]
    assert info["digest_algorithm"]["algorithm"].native == digest
    assert bool(len(info["signed_attrs"])) is attributes


def test_certificate_can_come_the_way_of_a_proxy(laboratory: Laboratory, device: SimulatedDevice) -> None:
    assert device.identity is not None
    device.proof = Proof.RFC9440
    device.token_update()
    device.proof = Proof.ESCAPED_PEM
    device.token_update()
    device.proof = Proof.NONE
    device.token_update()

    *_, structured, escaped, nothing = laboratory.requests_of("check-in")
    assert base64.b64decode(structured.headers["Client-Cert"].strip(":"), validate=True) == device.identity.der
    pem = urllib.parse.unquote(escaped.headers["Client-Cert"])
    assert x509.load_pem_x509_certificate(pem.encode()) == device.identity.certificate
    assert {"client-cert", "mdm-signature"}.isdisjoint(nothing.headers)


def test_identity_can_be_exchanged(laboratory: Laboratory, device: SimulatedDevice) -> None:
    assert device.identity is not None
    genuine, device.identity = device.identity, forge(device.identity)

    device.token_update()

    signature = base64.b64decode(laboratory.requests_of("check-in")[-1].headers["Mdm-Signature"])
    assert device.identity.der in signature
    assert genuine.der not in signature
    assert device.identity.certificate.serial_number == genuine.certificate.serial_number


def test_bare_401_is_never_an_answer(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.spoiled["check-in"] = lambda _: Answer(401)

    with pytest.raises(DeviceRefused, match="removes its enrollment profile"):
        device.check_in("TokenUpdate")


def test_challenge_asks_the_person_again(laboratory: Laboratory, device: SimulatedDevice) -> None:
    again = laboratory.challenge()
    again.headers["WWW-Authenticate"] = again.headers["WWW-Authenticate"].replace("s=1", "s=again")
    laboratory.spoiled["connect"] = lambda _: again

    with pytest.raises(TurnedAway, match="sign in again") as refusal:
        device.connect()

    assert refusal.value.status == 401
    assert device.sign_in_url == f"{ORIGIN}/sign-in?s=again"
    del laboratory.spoiled["connect"]
    device.sign_in(password=PASSWORD)
    device.connect()


@pytest.mark.parametrize(
    ("answer", "reaction"),
    [
        (Answer(403, json=UNRECOGNIZED), "removes its enrollment profile"),
        (Answer(403), "tries again"),
        (Answer(500), "tries again"),
        (Answer(200, content=b"<plist/>"), "does not expect an answer"),
    ],
)
def test_anything_but_an_empty_200_is_refused(
    laboratory: Laboratory, device: SimulatedDevice, answer: httpx2.Response, reaction: str
) -> None:
    laboratory.spoiled["check-in"] = lambda _: answer

    with pytest.raises(DeviceRefused, match=reaction):
        device.token_update()


def test_redirect_keeps_method_and_body(laboratory: Laboratory, device: SimulatedDevice) -> None:
    moved = Answer(301, headers={"Location": f"{ORIGIN}/mdm/checkin?moved"})
    laboratory.spoiled["check-in"] = lambda answer: answer if len(laboratory.check_ins) > 3 else moved

    device.token_update()

    first, second = laboratory.requests_of("check-in")[-2:]
    assert second.url.query == b"moved"
    assert (second.method, second.content) == (first.method, first.content)
    assert second.headers["Mdm-Signature"] == first.headers["Mdm-Signature"]


@pytest.mark.parametrize(
    ("content", "token"),
    [(b"", b""), (plistlib.dumps({}), None), (plistlib.dumps({"BootstrapToken": b"t"}), b"t"), (b"x", None)],
)
def test_bootstrap_token_is_read_strictly(
    laboratory: Laboratory, device: SimulatedDevice, content: bytes, token: bytes | None
) -> None:
    laboratory.spoiled["check-in"] = lambda _: Answer(200, content=content)

    if token is None:
        with pytest.raises(DeviceRefused, match="cannot read the answer"):
            device.get_bootstrap_token()
    else:
        assert device.get_bootstrap_token() == token


def test_steps_out_of_order_are_the_callers_mistake(laboratory: Laboratory) -> None:
    device = laboratory.device()

    for call, missing in ((device.request_challenge, "discover"), (device.authenticate, "fetch_profile")):
        with pytest.raises(RuntimeError, match=missing):
            call()


def test_broken_connection_is_no_answer(laboratory: Laboratory, device: SimulatedDevice) -> None:
    def lose(_: httpx2.Response) -> httpx2.Response:
        raise httpx2.ReadError("gone")

    laboratory.spoiled["check-in"] = lose

    with pytest.raises(NoAnswer, match=r"PUT mdm\.example\.test:8443/mdm/checkin: ReadError gone"):
        device.token_update()


def test_raw_bytes_go_out_with_every_proof(laboratory: Laboratory, device: SimulatedDevice) -> None:
    sent: dict[str, Any] = {"Status": "Idle"}

    device.put(f"{ORIGIN}/mdm/connect", plistlib.dumps(sent), content_type="text/plain", channel=Channel.USER)

    request = laboratory.requests_of("connect")[-1]
    assert laboratory.results == [sent]
    assert {"mdm-signature", "authorization"} <= request.headers.keys()
