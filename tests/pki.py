"""Certificates and CMS messages of any shape, made for tests; nothing here is a real authority.

`cryptography` signs neither certificates with SHA-1 nor CMS without attributes, and real devices send both, so the
odd ones are put together with asn1crypto.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any

from asn1crypto import cms as asn1_cms
from asn1crypto import core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
FAR_AWAY = datetime(2040, 1, 1, tzinfo=UTC)

_PRESENT: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
_PAST = {"md5": hashes.MD5(), "sha1": hashes.SHA1()}
_HASHES: dict[str, hashes.HashAlgorithm] = {**_PRESENT, **_PAST}


@cache
def rsa_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    """Made once in a process, for it takes a while; another `number` is another key."""
    return rsa.generate_private_key(65537, bits)


def with_exponent(key: rsa.RSAPrivateKey, exponent: int) -> rsa.RSAPrivateKey:
    """The same primes, and a public exponent that no tool would make."""
    p, q = key.private_numbers().p, key.private_numbers().q
    d = pow(exponent, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(exponent, p * q)
    crt = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, *crt, public)
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


@cache
def ec_key(number: int = 0) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True, slots=True)
class Identity:
    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def issue(
    name: str,
    *,
    issuer: Identity | None = None,
    key: Key | None = None,
    ca: bool | None = False,
    not_before: datetime = LONG_AGO,
    not_after: datetime = FAR_AWAY,
    digest: str = "sha256",
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
) -> Identity:
    """A certificate for `key`; without an `issuer` signed by itself, with `ca=None` without basicConstraints."""
    key = key or ec_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signing_key = issuer.key if issuer else key
    certificate = builder.sign(signing_key, _PRESENT.get(digest, hashes.SHA256()))
    return Identity(_resigned(certificate, signing_key, digest) if digest in _PAST else certificate, key)


def authority(name: str = "Test CA", *, issuer: Identity | None = None, key: Key | None = None) -> Identity:
    """A CA that Python's TLS accepts too."""
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    return issue(name, issuer=issuer, key=key, ca=True, extensions=[(usage, True)])


@dataclass(frozen=True, slots=True)
class DeviceChain:
    """The shapes of the chain behind an iPhone: two CAs that have expired, one with RSA 1024, both with SHA-1."""

    root: Identity
    intermediate: Identity
    device_ca: Identity
    leaf: Identity

    @property
    def included(self) -> list[Identity]:
        """What travels in a message besides the leaf."""
        return [self.device_ca, self.intermediate]


@cache
def device_chain(leaf_key: Key | None = None) -> DeviceChain:
    old = {"ca": True, "digest": "sha1", "not_before": datetime(2007, 4, 12, tzinfo=UTC)}
    root = issue("Test Root CA", key=rsa_key(number=1), **old)  # type: ignore[arg-type] # three values of three types
    intermediate = issue(
        "Test iPhone Certification Authority",
        issuer=root,
        key=rsa_key(number=2),
        not_after=datetime(2022, 4, 12, tzinfo=UTC),
        **old,  # type: ignore[arg-type] # as above
    )
    device_ca = issue(
        "Test iPhone Device CA",
        issuer=intermediate,
        key=rsa_key(1024, number=3),
        not_after=datetime(2014, 4, 16, tzinfo=UTC),
        **old,  # type: ignore[arg-type] # as above
    )
    leaf = issue("41B39CB1-0000-4F68-8FA6-F686B6FAB424", issuer=device_ca, key=leaf_key or rsa_key(1024, number=4))
    return DeviceChain(root, intermediate, device_ca, leaf)


def signer_info(
    content: bytes,
    signer: Identity,
    *,
    digest: str = "sha256",
    attributes: bool | Sequence[tuple[str, Any]] = True,
    by_key_identifier: bool = False,
) -> asn1_cms.SignerInfo:
    """`attributes` are the usual two, none, or those given as type and value."""
    info = {
        "version": "v3" if by_key_identifier else "v1",
        "sid": _key_identifier(signer) if by_key_identifier else _issuer_and_serial(signer),
        "digest_algorithm": {"algorithm": digest},
        "signature_algorithm": {"algorithm": f"{digest}_{'rsa' if _is_rsa(signer.key) else 'ecdsa'}"},
    }
    signed = content
    if attributes is True:
        attributes = usual_attributes(content, digest)
    if attributes is not False:
        info["signed_attrs"] = asn1_cms.CMSAttributes([{"type": type_, "values": [v]} for type_, v in attributes])
        signed = info["signed_attrs"].dump()
    info["signature"] = raw_signature(signer.key, signed, digest)
    return asn1_cms.SignerInfo(info)


def usual_attributes(content: bytes, digest: str = "sha256") -> list[tuple[str, Any]]:
    return [("content_type", "data"), ("message_digest", hashlib.new(digest, content).digest())]


def signed_data(
    content: bytes | None,
    signers: Sequence[asn1_cms.SignerInfo],
    certificates: Iterable[Identity],
    *,
    content_type: str = "data",
) -> bytes:
    """A SignedData around given signers, to be wrong in any way; without `content` it is detached."""
    encapsulated: dict[str, Any] = {"content_type": content_type}
    if content is not None:
        encapsulated["content"] = content
    body = {
        "version": "v1" if content_type == "data" else "v3",
        "digest_algorithms": [signer["digest_algorithm"] for signer in signers],
        "encap_content_info": encapsulated,
        "certificates": [asn1_x509.Certificate.load(identity.der) for identity in certificates],
        "signer_infos": list(signers),
    }
    dumped: bytes = asn1_cms.ContentInfo({"content_type": "signed_data", "content": body}).dump()
    return dumped


def sign(
    content: bytes,
    signer: Identity,
    *,
    chain: Iterable[Identity] = (),
    digest: str = "sha256",
    attributes: bool = True,
    detached: bool = False,
) -> bytes:
    """A correct CMS message, as a device would send it: attached is MachineInfo, detached is `Mdm-Signature`."""
    info = signer_info(content, signer, digest=digest, attributes=attributes)
    return signed_data(None if detached else content, [info], [signer, *chain])


def raw_signature(key: Key, signed: bytes, digest: str = "sha256") -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(signed, padding.PKCS1v15(), _HASHES[digest])
    return key.sign(signed, ec.ECDSA(_HASHES[digest]))


def _resigned(certificate: x509.Certificate, key: Key, digest: str) -> x509.Certificate:
    """The same certificate, signed with a digest that `cryptography` does not sign with any more."""
    parsed = asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
    algorithm = {"algorithm": f"{digest}_{'rsa' if _is_rsa(key) else 'ecdsa'}"}
    parsed["tbs_certificate"]["signature"] = algorithm
    parsed["signature_algorithm"] = algorithm
    parsed["signature_value"] = raw_signature(key, parsed["tbs_certificate"].dump(force=True), digest)
    return x509.load_der_x509_certificate(parsed.dump(force=True))


def _issuer_and_serial(signer: Identity) -> asn1_cms.SignerIdentifier:
    certificate = asn1_x509.Certificate.load(signer.der)
    value = {"issuer": certificate.issuer, "serial_number": certificate.serial_number}
    return asn1_cms.SignerIdentifier("issuer_and_serial_number", value)


def _key_identifier(signer: Identity) -> asn1_cms.SignerIdentifier:
    identifier = signer.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    return asn1_cms.SignerIdentifier("subject_key_identifier", core.OctetString(identifier))


def _is_rsa(key: Key) -> bool:
    return isinstance(key, rsa.RSAPrivateKey)
