"""Apple's side of a push certificate, and a vendor's: what they make of our request."""

from datetime import datetime, timedelta
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.utils import timezone

from tests import pki

TOPIC: Final = "com.apple.mgmt.External.11111111-2222-4333-8444-555555555555"
OTHER_TOPIC: Final = "com.apple.mgmt.External.99999999-2222-4333-8444-555555555555"
APPLE: Final = x509.Name(
    [
        x509.NameAttribute(NameOID.COMMON_NAME, "Apple Application Integration 2 Certification Authority"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Apple Certification Authority"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Apple Inc."),
        x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
    ]
)
LABORATORY: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Laboratory")])


def issue(
    key: rsa.RSAPublicKey,
    *,
    topic: str | None = TOPIC,
    issuer: x509.Name = APPLE,
    days: float = 365,
    begins_in: timedelta = timedelta(hours=-1),
) -> x509.Certificate:
    """As the portal does: a subject of its own, with the topic as UID, whatever the request asked for."""
    subject = [x509.NameAttribute(NameOID.USER_ID, topic)] if topic is not None else []
    subject.append(x509.NameAttribute(NameOID.COMMON_NAME, "APSP:11111111-2222-4333-8444-555555555555"))
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name(subject))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(timezone.now() - timedelta(days=400) if days <= 0 else timezone.now() + begins_in)
        .not_valid_after(timezone.now() + timedelta(days=days))
        .sign(pki.rsa_key(number=70), hashes.SHA256())
    )


def answer(csr: bytes, *, topic: str | None = TOPIC, issuer: x509.Name = APPLE, days: float = 365) -> bytes:
    """The PEM file that the portal gives for a request."""
    key = x509.load_der_x509_csr(csr).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return pem(issue(key, topic=topic, issuer=issuer, days=days))


def pem(certificate: x509.Certificate) -> bytes:
    return pki.Identity(certificate, pki.rsa_key(number=70)).pem


@cache
def vendor(not_after: datetime = pki.FAR_AWAY) -> list[pki.Identity]:
    """An MDM vendor: its certificate, the intermediate, the root."""
    root = pki.authority("Test Apple Root CA", key=pki.rsa_key(number=71))
    intermediate = pki.authority("Test WWDR", issuer=root, key=pki.rsa_key(number=72))
    leaf = pki.issue("MDM Vendor: Example", issuer=intermediate, key=pki.rsa_key(number=73), not_after=not_after)
    return [leaf, intermediate, root]


def chain_pem(identities: list[pki.Identity]) -> bytes:
    return b"".join(identity.pem for identity in identities)
