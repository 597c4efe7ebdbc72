"""SCEP messages (RFC 8894 section 3): the request for a certificate, and its answer checked to the last attribute."""

import datetime as dt
import hashlib
import secrets
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NoReturn

from asn1crypto import core
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AttributeOID, ExtendedKeyUsageOID, NameOID

from enrollment.simulator import cms, envelope
from enrollment.simulator.identity import Identity, self_signed
from enrollment.simulator.profile import ScepSettings
from enrollment.simulator.refusal import DeviceRefused, TurnedAway

REACTION = "reports that the certificate could not be obtained and removes the profile"
_ATTRIBUTE = "2.16.840.1.113733.1.9."
_MESSAGE_TYPE, _STATUS, _FAILURE = _ATTRIBUTE + "2", _ATTRIBUTE + "3", _ATTRIBUTE + "4"
_SENDER_NONCE, _RECIPIENT_NONCE, _TRANSACTION = _ATTRIBUTE + "5", _ATTRIBUTE + "6", _ATTRIBUTE + "7"
_FAILURES = {"0": "badAlg", "1": "badMessageCheck", "2": "badRequest", "3": "badTime", "4": "badCertId"}
_FAMILIES = {"aes": {"aes128_cbc", "aes192_cbc", "aes256_cbc"}, "tri": {"tripledes_3key"}, "des": {"des"}}
_NAMES = {
    "C": NameOID.COUNTRY_NAME,
    "L": NameOID.LOCALITY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Responder:
    """What the server says of itself before anything secret is sent."""

    capabilities: frozenset[str]
    ca: x509.Certificate
    ra: x509.Certificate  # encrypted to, and signing the answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that can be sent again: a lost answer is asked for with the same transaction."""

    message: bytes = field(repr=False)
    transaction: str
    nonce: bytes
    requester: Identity  # self-signed; the answer is encrypted to it
    cipher: str


def compose(
    settings: ScepSettings,
    responder: Responder,
    key: rsa.RSAPrivateKey,
    *,
    challenge: str | None = None,
    cipher: envelope.CipherName = "aes256_cbc",
) -> Request:
    """PKCSReq: a PKCS #10 request with the challenge, sealed for the RA, signed by the new key itself."""
    subject = _subject(settings)
    requester = self_signed(subject, key)
    secret = settings.challenge if challenge is None else challenge
    wish = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if secret:
        wish = wish.add_attribute(AttributeOID.CHALLENGE_PASSWORD, secret.encode())
    der = wish.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    transaction = hashlib.sha256(_public_der(requester.certificate)).hexdigest()
    nonce = secrets.token_bytes(16)
    attributes: dict[str, core.Asn1Value] = {
        _MESSAGE_TYPE: core.PrintableString("19"),
        _TRANSACTION: core.PrintableString(transaction),
        _SENDER_NONCE: core.OctetString(nonce),
    }
    message = cms.sign(envelope.seal(der, responder.ra, cipher=cipher), requester, attributes=attributes)
    return Request(message=message, transaction=transaction, nonce=nonce, requester=requester, cipher=cipher)


def open_reply(raw: bytes, responder: Responder, request: Request) -> Identity:
    """CertRep (RFC 8894 section 3.3.2): from whom, to which request, sealed for us, and about our key."""
    try:
        reply = cms.verify(raw, signer=responder.ra)
        _check_reply(reply, request)
        content, cipher = envelope.unseal(reply.content, request.requester)
        issued = cms.certificates_in(content)
    except cms.CmsError as error:
        raise DeviceRefused(REACTION, f"CertRep: {error}") from error
    if cipher not in _FAMILIES[request.cipher[:3]]:
        _refuse(f"a request with {request.cipher} was answered with {cipher}")
    own = [item for item in issued if _public_der(item) == _public_der(request.requester.certificate)]
    if len(own) != 1:
        _refuse("no certificate, or more than one, for the key that was sent")
    _check_issued(own[0], responder.ca)
    return Identity(key=request.requester.key, certificate=own[0], issuers=(responder.ca,))


def _check_reply(reply: cms.Signed, request: Request) -> None:
    if reply.digest == "sha1":
        _refuse("CertRep is signed with SHA-1 although the request used SHA-256")
    if _text(reply, _MESSAGE_TYPE) != "3":
        _refuse("the answer is not a CertRep")
    if _text(reply, _TRANSACTION) != request.transaction:
        _refuse("CertRep belongs to another transaction")
    if _bytes(reply, _RECIPIENT_NONCE) != request.nonce:
        _refuse("recipientNonce is not the nonce that was sent")
    if not _bytes(reply, _SENDER_NONCE):
        _refuse("CertRep has no senderNonce")
    status = _text(reply, _STATUS)
    if status == "2":
        code = _FAILURES.get(_text(reply, _FAILURE), "no failInfo")
        raise TurnedAway(REACTION, f"SCEP failure {code}", status=HTTPStatus.OK, code=code)
    if status != "0":
        _refuse(f"pkiStatus {status!r} is neither success nor failure")


def _check_issued(certificate: x509.Certificate, ca: x509.Certificate) -> None:
    check_issuer(certificate, ca)
    now = dt.datetime.now(dt.UTC)
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        _refuse("the certificate is not valid now")
    try:
        constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError) as error:
        raise DeviceRefused(REACTION, f"the certificate: {error}") from error
    if constraints.ca:
        _refuse("the device would become a CA")
    if not (usage.digital_signature and usage.key_encipherment):
        _refuse("the certificate's key usage is not digitalSignature and keyEncipherment")
    if ExtendedKeyUsageOID.CLIENT_AUTH not in purposes:
        _refuse("the certificate is not for TLS clients")


def check_issuer(certificate: x509.Certificate, ca: x509.Certificate) -> None:
    try:
        certificate.verify_directly_issued_by(ca)
    except (InvalidSignature, ValueError, TypeError) as error:
        raise DeviceRefused(REACTION, "a certificate that the CA of GetCACert did not issue") from error


def _subject(settings: ScepSettings) -> x509.Name:
    return x509.Name(
        [
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(_NAMES.get(name) or x509.ObjectIdentifier(name), value) for name, value in pairs]
            )
            for pairs in settings.subject
        ]
    )


def _public_der(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _text(reply: cms.Signed, oid: str) -> str:
    value = _value(reply, oid)
    return value if isinstance(value, str) else ""


def _bytes(reply: cms.Signed, oid: str) -> bytes:
    value = _value(reply, oid)
    return value if isinstance(value, bytes) else b""


def _value(reply: cms.Signed, oid: str) -> object:
    try:
        return core.load(reply.attributes[oid]).native
    except (KeyError, ValueError):
        return None


def _refuse(reason: str) -> NoReturn:
    raise DeviceRefused(REACTION, reason)
