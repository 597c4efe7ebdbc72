"""Our own keys: the certificate authority of device identities, its SCEP registration authority, a profile signer.

They are made once, on first use, and kept encrypted in the database so that every process of an installation shares
them.  Each process reads them once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from django.db import IntegrityError, transaction
from django.utils import timezone

from enrollment.models import Authority
from epmm import options, settings_store

YEARS_TEN: Final = timedelta(days=3652)
BACKDATED: Final = timedelta(minutes=10)  # a device whose clock is behind must not see a future certificate


@dataclass(frozen=True, slots=True)
class Signer:
    certificate: x509.Certificate
    key: rsa.RSAPrivateKey


def device_ca() -> Signer:
    """Signs device identities."""
    return _current(Authority.Purpose.DEVICE_CA)


def scep_ra() -> Signer:
    """RSA with keyEncipherment: what Apple's SCEP clients encrypt to (RFC 8894, 2.1.2)."""
    return _current(Authority.Purpose.SCEP_RA)


def profile_signer() -> Signer:
    return _current(Authority.Purpose.PROFILE_SIGNER)


def known() -> list[tuple[Authority.Purpose, x509.Certificate]]:
    """Those that have been made; no key is read."""
    rows = Authority.objects.filter(is_current=True).order_by("pk").values_list("purpose", "certificate")
    return [(Authority.Purpose(purpose), x509.load_der_x509_certificate(bytes(der))) for purpose, der in rows]


@cache
def _current(purpose: Authority.Purpose) -> Signer:
    row = Authority.objects.filter(purpose=purpose, is_current=True).first() or _make(purpose)
    key = serialization.load_der_private_key(row.private_key, password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("authorities have RSA keys")
    return Signer(x509.load_der_x509_certificate(bytes(row.certificate)), key)


forget_cached: Callable[[], None] = _current.cache_clear


def _make(purpose: Authority.Purpose) -> Authority:
    bits = 3072 if purpose == Authority.Purpose.DEVICE_CA else 2048
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    certificate = _self_signed(key) if purpose == Authority.Purpose.DEVICE_CA else _issued(purpose, key)
    encoded = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        with transaction.atomic():
            return Authority.objects.create(
                purpose=purpose,
                certificate=certificate.public_bytes(serialization.Encoding.DER),
                private_key=encoded,
            )
    except IntegrityError:  # another process was first
        return Authority.objects.get(purpose=purpose, is_current=True)


def organization() -> str:
    return settings_store.read(options.ENTERPRISE_NAME)


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization()),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def key_usage(*, authority: bool, encipherment: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )


def _builder(subject: x509.Name, key: rsa.RSAPublicKey, not_after: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(timezone.now() - BACKDATED)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _self_signed(key: rsa.RSAPrivateKey) -> x509.Certificate:
    subject = _name("EPMM Device CA")
    return (
        _builder(subject, key.public_key(), timezone.now() + YEARS_TEN)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(authority=True, encipherment=False), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def _issued(purpose: Authority.Purpose, key: rsa.RSAPrivateKey) -> x509.Certificate:
    is_ra = purpose == Authority.Purpose.SCEP_RA
    builder = _builder(
        _name("EPMM SCEP RA" if is_ra else "EPMM Profile Signing"),
        key.public_key(),
        device_ca().certificate.not_valid_after_utc - timedelta(days=1),
    ).add_extension(key_usage(authority=False, encipherment=is_ra), critical=True)
    return signed_by_ca(builder)


def signed_by_ca(builder: x509.CertificateBuilder) -> x509.Certificate:
    """Finish an end-entity certificate."""
    ca = device_ca()
    return (
        builder.issuer_name(ca.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
        .sign(ca.key, hashes.SHA256())
    )
