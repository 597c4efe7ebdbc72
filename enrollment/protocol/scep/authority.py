"""The registration authority (RA): the RSA certificate clients encrypt to, and the signer of every reply."""

from dataclasses import dataclass, field

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationAuthority:
    """Apple's client takes the certificate only with key usage digitalSignature and keyEncipherment."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)


def as_asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))


def issuer_and_serial(certificate: asn1_x509.Certificate) -> cms.IssuerAndSerialNumber:
    fields = certificate["tbs_certificate"]
    return cms.IssuerAndSerialNumber({"issuer": fields["issuer"], "serial_number": fields["serial_number"]})


def is_named_by(identifier: cms.RecipientIdentifier, certificate: asn1_x509.Certificate) -> bool:
    """Whether a recipient identifier means this certificate (RFC 5652 section 6.2.1)."""
    if identifier.name == "subject_key_identifier":
        return bool(identifier.chosen.native == certificate.key_identifier)
    return bool(identifier.chosen.dump() == issuer_and_serial(certificate).dump())
