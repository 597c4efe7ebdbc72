"""Keys and certificates: what a device is made with, what it gets, and what a forger would make."""

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
KeyMaker = Callable[[], rsa.RSAPrivateKey]

_YEAR = dt.timedelta(days=365)
_PEM = serialization.Encoding.PEM
_PKCS8 = serialization.PrivateFormat.PKCS8
_CLEAR = serialization.NoEncryption()


def new_rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def name_of(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A private key with the certificate that names it, and those that lead to its root."""

    key: PrivateKey = field(repr=False)
    certificate: x509.Certificate
    issuers: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return b"".join(item.public_bytes(_PEM) for item in (self.certificate, *self.issuers))

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(_PEM, _PKCS8, _CLEAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A small CA: the maker of laboratory devices, or a forger's copy of somebody else's."""

    identity: Identity

    @classmethod
    def new(cls, name: x509.Name, key: PrivateKey | None = None) -> Self:
        key = key or ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _draft(subject=name, issuer=name, public_key=key.public_key(), years=20)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return cls(identity=Identity(key=key, certificate=certificate))

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """The laboratory's maker of devices: made once, its certificate can go into EPMM_EXTRA_DEVICE_CA."""
        certificate, key = folder / "device-ca.pem", folder / "device-ca.key"
        if not certificate.is_file():
            fresh = cls.new(name_of("EPMM Laboratory Device CA")).identity
            _make_folder(folder, {certificate.name: fresh.pem, key.name: fresh.key_pem})
        loaded = serialization.load_pem_private_key(key.read_bytes(), password=None)
        if not isinstance(loaded, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey)):
            raise TypeError(f"{key}: neither an RSA nor an EC key")
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        return cls(identity=Identity(key=loaded, certificate=found))

    def issue(self, subject: x509.Name, key: PrivateKey) -> Identity:
        issuer = self.identity.certificate
        certificate = (
            _draft(subject=subject, issuer=issuer.subject, public_key=key.public_key(), years=5)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self.identity.key, hashes.SHA256())
        )
        return Identity(key=key, certificate=certificate, issuers=(issuer,))


def forge(genuine: Identity) -> Identity:
    """The same names and serial number under a CA that calls itself like the real one, with another key."""
    key = ec.generate_private_key(ec.SECP256R1())
    forger = Authority.new(genuine.certificate.issuer)
    certificate = _draft(
        subject=genuine.certificate.subject,
        issuer=genuine.certificate.issuer,
        public_key=key.public_key(),
        serial=genuine.certificate.serial_number,
    ).sign(forger.identity.key, hashes.SHA256())
    return Identity(key=key, certificate=certificate, issuers=(forger.identity.certificate,))


def self_signed(subject: x509.Name, key: rsa.RSAPrivateKey) -> Identity:
    """What a SCEP client signs its request with while it has no certificate (RFC 8894 section 2.3)."""
    certificate = _draft(subject=subject, issuer=subject, public_key=key.public_key()).sign(key, hashes.SHA256())
    return Identity(key=key, certificate=certificate)


def _draft(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    public_key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    years: int = 1,
    serial: int | None = None,
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + years * _YEAR)
    )


def _make_folder(folder: Path, files: dict[str, bytes]) -> None:
    """All files or none, readable by the owner alone; whoever comes second keeps what the first one made."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    for name, content in files.items():
        (draft / name).touch(mode=0o600)
        (draft / name).write_bytes(content)
    try:
        draft.rename(folder)
    except OSError:
        shutil.rmtree(draft)
