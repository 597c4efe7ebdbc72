"""CMS SignedData (RFC 5652): asn1crypto parses, `cryptography` verifies, one signer.

Devices send BER of indefinite length and SHA-1, with signed attributes (MachineInfo) and without (`Mdm-Signature`).
All of asn1crypto's laziness ends in `parse_signed`: what it returns is plain bytes.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any

from asn1crypto import cms, core
from asn1crypto.parser import emit
from cryptography import x509 as certificates
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from epmm.wire import ber, x509
from epmm.wire.errors import SignatureMismatch, WireError, edge

MAX_BYTES = 1 << 20
# A device brings one signer and three certificates; comparing many of each is work for nothing.
MOST_SIGNERS, MOST_CERTIFICATES = 4, 32

DATA = "1.2.840.113549.1.7.1"
_SIGNED_DATA = "1.2.840.113549.1.7.2"
_CONTENT_TYPE = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST = "1.2.840.113549.1.9.4"

_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "1.3.14.3.2.26": hashes.SHA1(),  # noqa: S303 -- what devices sign with; see protocol file 11
    "2.16.840.1.101.3.4.2.1": hashes.SHA256(),
    "2.16.840.1.101.3.4.2.2": hashes.SHA384(),
    "2.16.840.1.101.3.4.2.3": hashes.SHA512(),
}
# Signature algorithm to kind of key and the one digest it implies; the bare key types leave that to digestAlgorithm.
_SIGNATURES: dict[str, tuple[type, str | None]] = {
    "1.2.840.113549.1.1.1": (rsa.RSAPublicKey, None),
    "1.2.840.113549.1.1.5": (rsa.RSAPublicKey, "sha1"),
    "1.3.14.3.2.29": (rsa.RSAPublicKey, "sha1"),
    "1.2.840.113549.1.1.11": (rsa.RSAPublicKey, "sha256"),
    "1.2.840.113549.1.1.12": (rsa.RSAPublicKey, "sha384"),
    "1.2.840.113549.1.1.13": (rsa.RSAPublicKey, "sha512"),
    "1.2.840.10045.2.1": (ec.EllipticCurvePublicKey, None),
    "1.2.840.10045.4.1": (ec.EllipticCurvePublicKey, "sha1"),
    "1.2.840.10045.4.3.2": (ec.EllipticCurvePublicKey, "sha256"),
    "1.2.840.10045.4.3.3": (ec.EllipticCurvePublicKey, "sha384"),
    "1.2.840.10045.4.3.4": (ec.EllipticCurvePublicKey, "sha512"),
}

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A SignerInfo.  `attributes` is None when the signature is over the content itself."""

    certificate: bytes | None  # DER; None when the message does not carry it
    digest_algorithm: str
    signature_algorithm: str
    signature: bytes = field(repr=False)
    attributes: Mapping[str, tuple[bytes, ...]] | None = field(repr=False)  # object identifier to DER values
    signed_attributes: bytes = field(repr=False)  # as they were signed: SET OF, not the [0] they travel under


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMessage:
    """Nothing in it may be believed before `verify` returned."""

    content_type: str
    content: bytes | None = field(repr=False)  # None when detached
    certificates: tuple[bytes, ...] = field(repr=False)  # DER, in the order of the message
    signers: tuple[Signer, ...]

    @property
    def signer(self) -> Signer:
        if len(self.signers) != 1:
            raise SignatureMismatch("expected exactly one signer")
        return self.signers[0]

    @property
    def signer_certificate(self) -> bytes:
        certificate = self.signer.certificate
        if certificate is None:
            raise SignatureMismatch("certificate of the signer is missing")
        return certificate

    def verify(self, content: bytes | None = None) -> None:
        """The signer's key signed the content: the one inside, or `content` when the signature is detached."""
        if content is None:
            content = self.content
        elif self.content not in (None, content):
            raise SignatureMismatch("signature is over other content")
        if content is None:
            raise SignatureMismatch("content is missing")
        with edge(SignatureMismatch, "signature does not match"):
            key = x509.load(self.signer_certificate).public_key()
            digest = _digest_of(self.signer, key)
            signed = self._signed_bytes(self.signer, content, digest.name)
            x509.verify_signature(key, self.signer.signature, signed, digest)

    def _signed_bytes(self, signer: Signer, content: bytes, digest: str) -> bytes:
        """RFC 5652, 5.4: the content, or the attributes, which then have to name the content."""
        if signer.attributes is None:
            # RFC 5652, 5.3: other types need attributes.  And a set of attributes is never content, or
            # the signature over one message would do for another one that has them as its content.
            if self.content_type != DATA or content[:1] == b"\x31":
                raise SignatureMismatch("signature without attributes")
            return content
        found = _single(signer.attributes, _CONTENT_TYPE)
        if found != core.ObjectIdentifier(self.content_type).dump():
            raise SignatureMismatch("signature is for another type of content")
        expected = core.OctetString(hashlib.new(digest, content).digest()).dump()
        if not compare_digest(_single(signer.attributes, _MESSAGE_DIGEST), expected):
            raise SignatureMismatch("content was altered")
        return signer.signed_attributes


def parse_signed(raw: bytes, *, max_bytes: int = MAX_BYTES) -> SignedMessage:
    if len(raw) > max_bytes:
        raise WireError("CMS message is too large")
    ber.check(raw)
    with edge(WireError, "not a CMS message"):
        return _read(cms.ContentInfo.load(raw, strict=True))


def sign(
    content: bytes,
    certificate: certificates.Certificate,
    key: PrivateKey,
    chain: Iterable[certificates.Certificate] = (),
) -> bytes:
    """`content` inside a SignedData: DER, SHA-256, signed attributes.  The time of signing is the machine's."""
    builder = pkcs7.PKCS7SignatureBuilder().set_data(content).add_signer(certificate, key, hashes.SHA256())
    for issuer in chain:
        builder = builder.add_certificate(issuer)
    return builder.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoCapabilities])


def _read(info: Any) -> SignedMessage:
    if info["content_type"].dotted != _SIGNED_DATA:
        raise WireError("CMS message is not SignedData")
    signed = info["content"]
    encapsulated = signed["encap_content_info"]
    included = [choice.chosen for choice in _items(signed["certificates"]) if choice.name == "certificate"]
    if len(included) > MOST_CERTIFICATES or len(signed["signer_infos"]) > MOST_SIGNERS:
        raise WireError("CMS message has too many certificates or signers")
    return SignedMessage(
        content_type=encapsulated["content_type"].dotted,
        content=_content(encapsulated["content"]),
        certificates=tuple(certificate.dump() for certificate in included),
        signers=tuple(_signer(signer, included) for signer in signed["signer_infos"]),
    )


def _content(value: Any) -> bytes | None:
    """An octet string, whole or in pieces; version 1 (PKCS#7, RFC 2315) leaves open what it is."""
    if isinstance(value, core.Void):
        return None
    if isinstance(value, core.Any):
        value = value.parse(core.OctetString)
    if not isinstance(value, core.OctetString | core.ParsableOctetString):
        raise WireError("content of the CMS message is not an octet string")
    return bytes(value)


def _signer(signer: Any, included: list[Any]) -> Signer:
    attributes = signer["signed_attrs"]
    absent = isinstance(attributes, core.Void)
    return Signer(
        certificate=next((each.dump() for each in included if _identifies(signer["sid"], each)), None),
        digest_algorithm=signer["digest_algorithm"]["algorithm"].dotted,
        signature_algorithm=signer["signature_algorithm"]["algorithm"].dotted,
        signature=bytes(signer["signature"]),
        attributes=None if absent else _attributes(attributes),
        # RFC 5652, 5.4: a SET OF tag (0x31) replaces the implicit [0]; the bytes behind it stay as they came.
        signed_attributes=b"" if absent else emit(0, 1, 17, attributes.contents),
    )


def _identifies(identifier: Any, certificate: Any) -> bool:
    if identifier.name == "subject_key_identifier":
        found = certificate.key_identifier_value
        return found is not None and bytes(found) == bytes(identifier.chosen)
    body = certificate["tbs_certificate"]
    wanted = identifier.chosen["issuer"].dump(), identifier.chosen["serial_number"].contents
    return wanted == (body["issuer"].dump(), body["serial_number"].contents)


def _attributes(attributes: Any) -> Mapping[str, tuple[bytes, ...]]:
    found: dict[str, tuple[bytes, ...]] = {}
    for attribute in attributes:
        name = attribute["type"].dotted
        found[name] = found.get(name, ()) + tuple(value.dump() for value in attribute["values"])
    return found


def _items(optional: Any) -> Iterable[Any]:
    return () if isinstance(optional, core.Void) else optional


def _single(attributes: Mapping[str, tuple[bytes, ...]], name: str) -> bytes:
    """RFC 5652, 11.1 and 11.2: exactly one instance with exactly one value."""
    values = attributes.get(name, ())
    if len(values) != 1:
        raise SignatureMismatch("signed attribute is missing or repeated")
    return values[0]


def _digest_of(signer: Signer, key: object) -> hashes.HashAlgorithm:
    """Both algorithms are ones we accept, and fit together and to the key: no MD5, PSS, DSA or EdDSA."""
    digest = _DIGESTS.get(signer.digest_algorithm)
    if digest is None or signer.signature_algorithm not in _SIGNATURES:
        raise SignatureMismatch("algorithm is not accepted")
    kind, implied = _SIGNATURES[signer.signature_algorithm]
    if not isinstance(key, kind) or implied not in (None, digest.name):
        raise SignatureMismatch("digest, signature and key do not fit together")
    return digest
