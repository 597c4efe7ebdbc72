"""Certificates of a laboratory: the stand-in's own, and push certificates as Apple's portal issues them."""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from epmm import dev_tls
from epmm.dev_tls import ServerFiles

DAYS: Final = 365
_PRODUCTION: Final = x509.ObjectIdentifier("1.2.840.113635.100.6.3.2")
_NULL: Final = b"\x05\x00"
_SKEW: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushPem:
    certificate: bytes
    key: bytes = field(repr=False)


def ensure(directory: Path, *, host: str, now: datetime) -> ServerFiles:
    """The CA signs both sides, so that a laboratory has one file to trust."""
    return dev_tls.ensure(directory, host=host, now=now)


def make_push_certificate(files: ServerFiles, *, topic: str, now: datetime) -> PushPem:
    """A new key, and a certificate whose UID is the topic (RFC 4519, 2.39)."""
    issuer = x509.load_pem_x509_certificate(files.ca.read_bytes())
    signer = serialization.load_pem_private_key(files.ca.with_suffix(".key").read_bytes(), password=None)
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise TypeError("not the key of a development CA")
    key = rsa.generate_private_key(65537, 2048)
    builder = (
        x509.CertificateBuilder(
            subject_name=_subject(topic),
            issuer_name=issuer.subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - _SKEW,
            not_valid_after=now + timedelta(days=DAYS),
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.UnrecognizedExtension(_PRODUCTION, _NULL), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    certificate = builder.sign(signer, hashes.SHA256())
    return PushPem(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )


def write(path: Path, pem: PushPem) -> None:
    """One file for both, readable by the owner alone, complete or absent."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem.certificate + pem.key)
    draft.replace(path)


def topics_of(certificate: x509.Certificate) -> Sequence[str]:
    return [str(item.value) for item in certificate.subject.get_attributes_for_oid(NameOID.USER_ID)]


def _subject(topic: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, topic),
            x509.NameAttribute(NameOID.COMMON_NAME, f"APSP:{topic.rpartition('.')[2]}"[:64]),
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
        ]
    )
