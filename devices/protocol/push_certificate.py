"""The push certificate: the request for it, a vendor's signature under that, and what the certificate itself says.

Apple: "Setting up push notifications for your device management customers".
"""

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

from epmm.wire import plist
from epmm.wire.errors import SignatureMismatch, UntrustedCertificate, WireError, edge
from epmm.wire.x509 import issued_by, sha256, verify_signature

LARGEST: Final = 1 << 16  # bytes of any file that is read here; real ones have a tenth
SMALLEST_KEY: Final = 2048
TOPIC: Final = re.compile(r"com\.apple\.mgmt\.[!-~]{1,240}")
PEM: Final = b"-----BEGIN "
# "Apple Application Integration 2 Certification Authority" and its predecessor and successors
APPLE: Final = ("Apple Inc.", "Apple Application Integration ")


def build_csr(key: rsa.RSAPrivateKey, *, organization: str) -> bytes:
    """In DER.  Apple takes the key and writes a subject of its own."""
    subject = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
        x509.NameAttribute(NameOID.COMMON_NAME, "EPMM push certificate"),
    ]
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject)).sign(key, hashes.SHA256())
    return request.public_bytes(Encoding.DER)


def to_pem(csr: bytes) -> bytes:
    return x509.load_der_x509_csr(csr).public_bytes(Encoding.PEM)


def read_key(raw: bytes) -> rsa.RSAPrivateKey:
    """PEM or DER, without a password; Apple issues for RSA alone."""
    with edge(WireError, "not a private key"):
        load = load_pem_private_key if PEM in _bounded(raw) else load_der_private_key
        key = load(raw, password=None)
        if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < SMALLEST_KEY:
            raise WireError("not an RSA key of 2048 bits or more")
        return key


def key_sha256(key: rsa.RSAPublicKey) -> bytes:
    """What a certificate is matched to its key by."""
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def read_certificates(raw: bytes) -> list[x509.Certificate]:
    """All of a PEM file, whatever stands between them, or one in DER; never an empty list."""
    with edge(WireError, "not a certificate"):
        if PEM in _bounded(raw):
            return x509.load_pem_x509_certificates(raw)
        return [x509.load_der_x509_certificate(raw)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a push certificate says of itself."""

    topic: str
    serial_number: str
    issuer: str
    is_by_apple: bool  # by the name of its issuer alone, whose certificate Apple does not hand out with it
    key_sha256: bytes
    not_before: datetime
    not_after: datetime

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Self:
        with edge(WireError, "not a push certificate"):
            key = certificate.public_key()
            if not isinstance(key, rsa.RSAPublicKey):
                raise WireError("not a certificate for an RSA key")
            return cls(
                topic=_topic(certificate.subject),
                serial_number=f"{certificate.serial_number:X}",
                issuer=certificate.issuer.rfc4514_string(),
                is_by_apple=_is_apple(certificate.issuer),
                key_sha256=key_sha256(key),
                not_before=certificate.not_valid_before_utc,
                not_after=certificate.not_valid_after_utc,
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedRequest:
    """A request with a vendor's signature, as Apple's portal takes it."""

    csr: bytes
    chain: list[x509.Certificate]  # the vendor's certificate first, the root last
    signature: bytes

    @classmethod
    def sign(cls, csr: bytes, chain: list[x509.Certificate], key: rsa.RSAPrivateKey) -> Self:
        signature = key.sign(csr, padding.PKCS1v15(), hashes.SHA256())
        return cls(csr=csr, chain=chain, signature=signature)

    @classmethod
    def read(cls, raw: bytes) -> Self:
        """The file for the portal, or the property list that is in it."""
        with edge(WireError, "not a signed request"):
            start = _bounded(raw).lstrip()
            source = plist.load_dict(raw if start.startswith((b"<", b"bplist")) else _unwrapped(raw))
            chain = plist.required(source, "PushCertCertificateChain", str, longest=LARGEST)
            return cls(
                csr=_unwrapped(plist.required(source, "PushCertRequestCSR", str, longest=LARGEST).encode()),
                chain=x509.load_pem_x509_certificates(chain.encode()),
                signature=_unwrapped(plist.required(source, "PushCertSignature", str, longest=LARGEST).encode()),
            )

    def verify(self) -> None:
        """The first certificate's key signed this request with SHA256withRSA; raises SignatureMismatch."""
        key = self.chain[0].public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise SignatureMismatch("the vendor's key is not an RSA key")
        try:
            verify_signature(key, self.signature, self.csr, hashes.SHA256())
        except InvalidSignature as error:
            raise SignatureMismatch("the vendor's key did not sign this request") from error

    def render(self) -> bytes:
        """A property list in base64.  The portal wants PEM lines of 64 characters, which ours have."""
        return b64encode(
            plist.dump(
                {
                    "PushCertRequestCSR": b64encode(self.csr).decode(),
                    "PushCertCertificateChain": b"".join(
                        each.public_bytes(Encoding.PEM) for each in self.chain
                    ).decode(),
                    "PushCertSignature": b64encode(self.signature).decode(),
                }
            )
        )


def verify_chain(chain: list[x509.Certificate]) -> None:
    """Each is signed by the next, and the last, which is not the first, by itself; raises UntrustedCertificate."""
    with edge(UntrustedCertificate, "not a complete chain"):
        if chain[0].issuer == chain[0].subject:
            raise UntrustedCertificate("certificate has no issuer but itself")
        for certificate, issuer in pairwise([*chain, chain[-1]]):
            issued_by(certificate, issuer)


def _bounded(raw: bytes) -> bytes:
    if len(raw) > LARGEST:
        raise WireError("file is too large")
    return raw


def _unwrapped(text: bytes) -> bytes:
    """Base64 in lines of any length."""
    return b64decode(b"".join(text.split()), validate=True)


def _topic(subject: x509.Name) -> str:
    """Apple: the UID of the subject is the topic (OID 0.9.2342.19200300.100.1.1)."""
    (attribute,) = subject.get_attributes_for_oid(NameOID.USER_ID)
    if not isinstance(attribute.value, str) or TOPIC.fullmatch(attribute.value) is None:
        raise WireError("certificate names no MDM topic")
    return attribute.value


def _is_apple(issuer: x509.Name) -> bool:
    organization, common_name = APPLE
    names = [str(name.value) for name in issuer.get_attributes_for_oid(NameOID.COMMON_NAME)]
    organizations = [name.value for name in issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return organizations == [organization] and len(names) == 1 and names[0].startswith(common_name)
