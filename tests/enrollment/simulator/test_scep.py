import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID

from enrollment.simulator import cms, envelope
from enrollment.simulator.device import SimulatedDevice
from enrollment.simulator.identity import Authority, Identity, forge, name_of, self_signed
from enrollment.simulator.refusal import DeviceRefused, TurnedAway
from enrollment.simulator.scep_message import Request, open_reply
from tests.enrollment.simulator.laboratory import (
    DER,
    PASSWORD,
    SCEP,
    Answer,
    Laboratory,
    Spoil,
    header,
    issue,
    keys,
)


@pytest.fixture
def device(laboratory: Laboratory) -> SimulatedDevice:
    """One that has its profile and no certificate yet."""
    device = laboratory.device()
    device.discover()
    device.request_challenge()
    device.sign_in(password=PASSWORD)
    device.fetch_profile()
    return device


def test_identity_is_for_the_key_that_was_made(laboratory: Laboratory, device: SimulatedDevice) -> None:
    identity = device.get_identity()

    assert identity.certificate.public_key() == keys()[2].public_key()
    assert identity.issuers == (laboratory.authority.identity.certificate,)
    (sent,) = laboratory.requests_of("PKIOperation")
    assert sent.headers["Content-Type"] == "application/x-pki-message"
    assert laboratory.requests_of("GetCACert")[0].url.params["message"] == "devices"


def test_lost_answer_is_asked_for_with_the_same_message(laboratory: Laboratory, device: SimulatedDevice) -> None:
    laboratory.spoiled["PKIOperation"] = lambda _: Answer(503)
    with pytest.raises(TurnedAway):
        device.get_identity()
    del laboratory.spoiled["PKIOperation"]

    device.get_identity()
    device.get_identity()

    assert len({request.content for request in laboratory.requests_of("PKIOperation")}) == 1


@pytest.mark.parametrize("change", [{"challenge": "other"}, {"challenge": ""}, {"key": keys()[3]}, {"cipher": "des"}])
def test_other_wishes_make_another_request(
    laboratory: Laboratory, device: SimulatedDevice, change: dict[str, Any]
) -> None:
    device.get_identity()
    laboratory.certifies = False

    with pytest.raises(TurnedAway):
        device.get_identity(**change)

    assert len({request.content for request in laboratory.requests_of("PKIOperation")}) == 2


def test_get_leaves_plus_and_slash_as_a_mac_does(laboratory: Laboratory, device: SimulatedDevice) -> None:
    device.get_identity(method="GET")

    query = laboratory.requests_of("PKIOperation")[0].url.query
    assert b"+" in query
    assert b"/" in query
    assert b"%2B" not in query


def test_refused_challenge_is_a_failure_of_the_protocol(device: SimulatedDevice) -> None:
    with pytest.raises(TurnedAway, match="badRequest") as refusal:
        device.get_identity(challenge="guessed")

    assert (refusal.value.status, refusal.value.code) == (200, "badRequest")


@pytest.mark.parametrize("digest", ["md5", "sha1", "sha256"])
def test_fingerprint_of_the_profile_names_the_ca(laboratory: Laboratory, digest: str) -> None:
    der = laboratory.authority.identity.der
    fingerprint = hashlib.new(digest, der).digest()
    laboratory.profile_change = lambda profile: scep_settings(profile).update(CAFingerprint=fingerprint)

    laboratory.device().enroll(password=PASSWORD)

    laboratory.profile_change = lambda profile: scep_settings(profile).update(CAFingerprint=fingerprint[::-1])
    with pytest.raises(DeviceRefused, match="CAFingerprint"):
        laboratory.device().enroll(password=PASSWORD)


def scep_settings(profile: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = profile["PayloadContent"][0]["PayloadContent"]
    return found


@pytest.mark.parametrize(
    ("operation", "spoil", "reason"),
    [
        ("GetCACaps", lambda _: Answer(404), "404"),
        ("GetCACaps", lambda _: Answer(200, text="AES\nPOSTPKIOperation"), "no SHA"),
        ("GetCACaps", lambda _: Answer(200, text="SHA-256\nDES\nPOSTPKIOperation"), "neither AES nor DES3"),
        ("GetCACaps", lambda _: Answer(200, text="SHA-256\r\nAES"), "POSTPKIOperation"),
        ("GetCACert", header("Content-Type", "application/x-pem-file"), "x-pem-file"),
        ("GetCACert", header("Content-Type", "application/x-x509-ca-cert"), "GetCACert"),
        ("GetCACert", lambda a: Answer(200, content=a.content[:-2], headers=a.headers), "GetCACert"),
        ("PKIOperation", lambda _: Answer(400), "400"),
        ("PKIOperation", header("Content-Type", "application/octet-stream"), "octet-stream"),
        ("PKIOperation", lambda a: Answer(200, content=a.content[:-2], headers=a.headers), "CMS"),
        ("PKIOperation", lambda a: Answer(200, content=b"", headers=a.headers), "CMS"),
    ],
)
def test_answer_that_is_none_removes_the_profile(
    laboratory: Laboratory, device: SimulatedDevice, operation: str, spoil: Spoil, reason: str
) -> None:
    laboratory.spoiled[operation] = spoil

    with pytest.raises(DeviceRefused, match=reason):
        device.get_identity()


def bundle(*certificates: x509.Certificate) -> Spoil:
    content = pkcs7.serialize_certificates(list(certificates), DER)
    return lambda answer: Answer(200, content=content, headers=answer.headers)


def ca_only(laboratory: Laboratory) -> Spoil:
    return bundle(laboratory.authority.identity.certificate)


def without_ca(laboratory: Laboratory) -> Spoil:
    return bundle(laboratory.ra.certificate)


def two_registrars(laboratory: Laboratory) -> Spoil:
    ra = laboratory.ra.certificate
    return bundle(ra, laboratory.make_ra(keys()[3]).certificate, laboratory.authority.identity.certificate)


def elliptic_registrar(laboratory: Laboratory) -> Spoil:
    ra = laboratory.authority.issue(name_of("RA"), ec.generate_private_key(ec.SECP256R1())).certificate
    return bundle(ra, laboratory.authority.identity.certificate)


def registrar_without_usage(laboratory: Laboratory) -> Spoil:
    ra = laboratory.authority.issue(name_of("RA"), keys()[1]).certificate
    return bundle(ra, laboratory.authority.identity.certificate)


def registrar_that_only_signs(laboratory: Laboratory) -> Spoil:
    ra = laboratory.make_ra(usage={"key_encipherment": False}).certificate
    return bundle(ra, laboratory.authority.identity.certificate)


def forged_registrar(laboratory: Laboratory) -> Spoil:
    other = Authority.new(laboratory.authority.identity.certificate.subject, keys()[3])
    ra = issue(other, keys()[1].public_key()).sign(keys()[3], hashes.SHA256())
    return bundle(ra, laboratory.authority.identity.certificate)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (ca_only, "key usage is not keyEncipherment"),
        (without_ca, "exactly one CA"),
        (two_registrars, "more than one RA"),
        (elliptic_registrar, "no RSA key"),
        (registrar_without_usage, "no key usage"),
        (registrar_that_only_signs, "key usage is not keyEncipherment"),
        (forged_registrar, "did not issue"),
    ],
)
def test_nothing_is_sealed_for_the_wrong_one(
    laboratory: Laboratory, device: SimulatedDevice, make: Callable[[Laboratory], Spoil], reason: str
) -> None:
    laboratory.spoiled["GetCACert"] = make(laboratory)

    with pytest.raises(DeviceRefused, match=reason):
        device.get_identity()

    assert laboratory.requests_of("PKIOperation") == []


def attribute(number: str, value: core.Asn1Value | None) -> dict[str, Any]:
    return {"attributes": {SCEP + number: value}}


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (attribute("2", core.PrintableString("19")), "not a CertRep"),
        (attribute("2", None), "not a CertRep"),
        (attribute("3", core.PrintableString("3")), "pkiStatus '3'"),
        (attribute("3", None), "pkiStatus"),
        (attribute("5", None), "senderNonce"),
        (attribute("6", core.OctetString(bytes(16))), "recipientNonce"),
        (attribute("6", core.PrintableString("x")), "recipientNonce"),
        (attribute("7", core.PrintableString("other")), "another transaction"),
        ({"form": cms.SignatureForm(digest="sha1")}, "SHA-1"),
        ({"cipher": "tripledes_3key"}, "answered with tripledes"),
        ({"key": keys()[3].public_key()}, "for the key that was sent"),
        ({"issuer": keys()[3]}, "did not issue"),
        ({"certificate": {"ca": True}}, "become a CA"),
        ({"certificate": {"usage": {"key_encipherment": False}}}, "key usage"),
        ({"certificate": {"purpose": ExtendedKeyUsageOID.SERVER_AUTH}}, "TLS clients"),
        ({"certificate": {"begin": dt.datetime.now(dt.UTC) + dt.timedelta(days=1)}}, "not valid now"),
        ({"recipient": self_signed(name_of("other"), keys()[2]).certificate}, "addressed to another"),
    ],
)
def test_reply_is_checked_to_the_last_attribute(
    laboratory: Laboratory, device: SimulatedDevice, reply: dict[str, Any], reason: str
) -> None:
    laboratory.reply = reply

    with pytest.raises(DeviceRefused, match=reason):
        device.get_identity()

    assert device.identity is None


def test_reply_of_anybody_else_is_refused(laboratory: Laboratory, device: SimulatedDevice) -> None:
    for impostor in (forge(laboratory.ra), laboratory.make_ra(keys()[3])):
        laboratory.reply = {"ra": impostor}
        with pytest.raises(DeviceRefused, match=r"signature does not fit|another certificate"):
            device.get_identity()


def test_certificate_without_extensions_is_refused(laboratory: Laboratory, device: SimulatedDevice) -> None:
    bare = laboratory.authority.issue(name_of("bare"), keys()[2]).certificate
    content = pkcs7.serialize_certificates([bare], DER)
    device.get_identity()
    assert device._scep is not None
    responder, request = device._scep
    reply = sealed_reply(laboratory.ra, request, content)

    with pytest.raises(DeviceRefused, match="KeyUsage"):
        open_reply(reply, responder, request)


def sealed_reply(ra: Identity, request: Request, content: bytes) -> bytes:
    attributes: dict[str, core.Asn1Value] = {
        SCEP + "2": core.PrintableString("3"),
        SCEP + "3": core.PrintableString("0"),
        SCEP + "5": core.OctetString(b"nonce"),
        SCEP + "6": core.OctetString(request.nonce),
        SCEP + "7": core.PrintableString(request.transaction),
    }
    return cms.sign(envelope.seal(content, request.requester.certificate), ra, attributes=attributes)


def test_single_certificate_may_be_ca_and_ra_at_once(laboratory: Laboratory, device: SimulatedDevice) -> None:
    usage = {"key_cert_sign": True, "digital_signature": True, "key_encipherment": True}
    both = laboratory.make_ra(keys()[0], ca=True, usage=usage).certificate
    laboratory.authority = Authority(identity=Identity(key=keys()[0], certificate=both))
    laboratory.ra = laboratory.authority.identity
    laboratory.spoiled["GetCACert"] = lambda _: Answer(
        200,
        content=both.public_bytes(DER),
        headers={"Content-Type": "application/x-x509-ca-cert"},
    )

    assert device.get_identity().issuers == (both,)
