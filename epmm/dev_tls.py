"""A certificate authority for development, so that a machine that has nothing answers HTTPS on its first start.

Devices that shall trust it install `tls/ca.pem` of the data directory; `manage.py up` takes real certificates too.
"""

import ipaddress
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS: Final = 3650
SERVER_DAYS: Final = 396  # Apple refuses server certificates that live longer than 398 days (support document 102028)
RENEW_DAYS: Final = 30
LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_CLOCK_SKEW: Final = timedelta(hours=1)  # a device whose clock is a little behind shall not see a future certificate
_LONGEST_COMMON_NAME: Final = 64  # RFC 5280, ub-common-name


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFiles:
    certificate: Path  # the chain: server certificate, then CA
    key: Path
    ca: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def read(cls, certificate: Path, key: Path) -> Self | None:
        """None when a file is missing or damaged, or when the two do not belong together."""
        try:
            public = x509.load_pem_x509_certificate(certificate.read_bytes())
            private = serialization.load_pem_private_key(key.read_bytes(), password=None)
        except (OSError, ValueError, TypeError):
            return None
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.public_key() != public.public_key():
            return None
        return cls(certificate=public, key=private)

    def lives(self, *, since: datetime, until: datetime) -> bool:
        return self.certificate.not_valid_before_utc <= since and until <= self.certificate.not_valid_after_utc


def ensure(directory: Path, *, host: str, now: datetime) -> ServerFiles:
    """Make what is missing, nearly expired or made for another host; leave the rest as it is."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = ServerFiles(certificate=directory / "server.pem", key=directory / "server.key", ca=directory / "ca.pem")
    authority = _ensure_authority(files.ca, directory / "ca.key", now=now)
    server = _Pair.read(files.certificate, files.key)
    if server is None or not _serves(server, authority, host=host, now=now):
        server = _issue(authority, host=host, now=now)
        _write(files.key, _private_pem(server.key), mode=0o600)
        _write(files.certificate, _public_pem(server.certificate) + _public_pem(authority.certificate), mode=0o644)
    return files


def _ensure_authority(certificate: Path, key: Path, *, now: datetime) -> _Pair:
    authority = _Pair.read(certificate, key)
    if authority is None or not authority.lives(since=now, until=now + timedelta(days=SERVER_DAYS)):
        authority = _make_authority(now)
        _write(key, _private_pem(authority.key), mode=0o600)
        _write(certificate, _public_pem(authority.certificate), mode=0o644)
    return authority


def _serves(server: _Pair, authority: _Pair, *, host: str, now: datetime) -> bool:
    try:
        server.certificate.verify_directly_issued_by(authority.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    names = server.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return _general_name(host) in names and server.lives(since=now, until=now + timedelta(days=RENEW_DAYS))


def _make_authority(now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    # A name of its own: two installations on one device must not be taken for one authority with two keys.
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "EPMM"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"EPMM development CA {secrets.token_hex(4)}"),
        ]
    )
    builder = _builder(subject=name, issuer=name, key=key, now=now, days=CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_key_usage(authority=True), critical=True)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False
    )
    return _Pair(certificate=builder.sign(key, hashes.SHA256()), key=key)


def _issue(authority: _Pair, *, host: str, now: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = host if len(host) <= _LONGEST_COMMON_NAME else "EPMM development server"
    names = [_general_name(each) for each in dict.fromkeys((host, *LOCAL_NAMES))]
    builder = _builder(
        subject=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
        issuer=authority.certificate.subject,
        key=key,
        now=now,
        days=SERVER_DAYS,
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_key_usage(authority=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
    )
    return _Pair(certificate=builder.sign(authority.key, hashes.SHA256()), key=key)


def _builder(
    *, subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - _CLOCK_SKEW,
        not_valid_after=now + timedelta(days=days),
    ).add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _key_usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Complete or absent; a pair that a crash left in two minds is made again at the next start."""
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask: a certificate is public
        file.write(content)
    draft.replace(path)
