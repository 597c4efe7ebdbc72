"""The devices that are played: one key for all, a certificate for each, made cheaply."""

import datetime as dt
import hashlib
from base64 import b64encode
from dataclasses import dataclass
from functools import cache, cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from enrollment.simulator import cms
from enrollment.simulator.identity import Identity, name_of
from epmm.wire.plist import dump

_YEAR = dt.timedelta(days=365)
_ISSUER = name_of("EPMM Benchmark CA")


@dataclass(frozen=True)
class BenchDevice:
    number: int
    history: int = 0  # finished commands

    @property
    def udid(self) -> str:
        return f"00008140-{self.number:016X}"

    @cached_property
    def certificate(self) -> bytes:
        """DER."""
        return _certificate(self.number).public_bytes(serialization.Encoding.DER)

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.certificate).digest()

    @property
    def forwarded(self) -> str:
        """As a proxy says it (RFC 9440)."""
        return f":{b64encode(self.certificate).decode()}:"

    def message(self, **keys: object) -> bytes:
        return dump({"UDID": self.udid, **keys})

    def signature(self, body: bytes) -> str:
        """`Mdm-Signature`, with an RSA key of 2048 bits as devices have."""
        identity = Identity(key=_key(), certificate=x509.load_der_x509_certificate(self.certificate))
        return b64encode(cms.sign(body, identity, detached=True)).decode()


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def _issuer_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@cache
def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _certificate(number: int) -> x509.Certificate:
    return (
        x509.CertificateBuilder(
            subject_name=name_of(f"device {number}"),
            issuer_name=_ISSUER,
            public_key=_key().public_key(),
            serial_number=number + 1,
            not_valid_before=_now(),
            not_valid_after=_now() + _YEAR,
        )
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(_issuer_key(), hashes.SHA256())
    )
