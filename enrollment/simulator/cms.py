"""Cryptographic Message Syntax (RFC 5652) as a device needs it: to sign, to check a signature, to read certificates."""

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from asn1crypto import algos, cms, core
from asn1crypto import x509 as asn1
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from enrollment.simulator.identity import Identity

CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
DigestName = Literal["sha1", "sha256", "sha384", "sha512"]

_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - what iPhones still sign their first message with
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class CmsError(Exception):
    """Not a message we can read, or not one that its signature covers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureForm:
    """How a device may sign; real ones differ by message and by age."""

    digest: DigestName = "sha256"
    signed_attributes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a valid signature covers."""

    content: bytes = field(repr=False)
    signer: x509.Certificate
    digest: str
    attributes: Mapping[str, bytes]  # dotted identifier to the DER of its one value


def sign(
    content: bytes,
    identity: Identity,
    *,
    detached: bool = False,
    form: SignatureForm | None = None,
    attributes: Mapping[str, core.Asn1Value] | None = None,
) -> bytes:
    form = form or SignatureForm()
    digest = _DIGESTS[form.digest]
    signer: dict[str, Any] = {
        "version": "v1",
        "sid": cms.SignerIdentifier("issuer_and_serial_number", issuer_and_serial(identity.certificate)),
        "digest_algorithm": {"algorithm": form.digest},
        "signature_algorithm": _signature_algorithm(identity, form.digest),
    }
    if form.signed_attributes:
        values = {
            CONTENT_TYPE: cms.ContentType("data"),
            MESSAGE_DIGEST: core.OctetString(_hash(content, digest)),
            **(attributes or {}),
        }
        covered = cms.CMSAttributes([{"type": oid, "values": [value]} for oid, value in values.items()])
        signer |= {"signed_attrs": covered, "signature": _signature(identity, covered.dump(), digest)}
    else:
        signer |= {"signature": _signature(identity, content, digest)}
    message = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [{"algorithm": form.digest}],
            "encap_content_info": {"content_type": "data"} | ({} if detached else {"content": content}),
            "certificates": [
                asn1.Certificate.load(item.public_bytes(serialization.Encoding.DER))
                for item in (identity.certificate, *identity.issuers)
            ],
            "signer_infos": [signer],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": message}).dump())


def verify(raw: bytes, *, signer: x509.Certificate | None = None) -> Signed:
    """Check the one signature of `raw`, made by `signer` where the caller knows who must have signed."""
    message = load_message(raw, "signed_data")
    try:
        return _verify(message, signer)
    except CmsError:
        raise
    except InvalidSignature as error:
        raise CmsError("the signature does not fit") from error
    except Exception as error:  # asn1crypto reads late and lets many types out; from here on there is one
        raise CmsError("signed message with unreadable parts") from error


def certificates_in(raw: bytes) -> list[x509.Certificate]:
    """The certificates of a degenerate message, one without any signature (RFC 8894 section 3.4)."""
    message = load_message(raw, "signed_data")
    try:
        return list(_certificates(message))
    except Exception as error:  # as in verify
        raise CmsError("unreadable certificates") from error


def issuer_and_serial(certificate: x509.Certificate) -> dict[str, Any]:
    parsed = asn1.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))
    return {"issuer": parsed.issuer, "serial_number": parsed.serial_number}


def load_message(raw: bytes, expected: str) -> Any:
    try:
        info = cms.ContentInfo.load(raw, strict=True)
        if info["content_type"].native == expected:
            return info["content"]
    except Exception as error:  # as in verify
        raise CmsError("not a CMS message") from error
    raise CmsError(f"not of the type {expected}")


def _verify(message: Any, known: x509.Certificate | None) -> Signed:
    if len(message["signer_infos"]) != 1:
        raise CmsError("not exactly one signer")
    info = message["signer_infos"][0]
    signer = known or _find(message, info["sid"].chosen)
    if known is not None and not is_named(info["sid"].chosen, known):
        raise CmsError("signed by another certificate than the expected one")
    content = message["encap_content_info"]["content"].native
    if content is None:
        content = b""  # as in a SCEP failure, which has nothing to seal (RFC 8894 section 3.2.2)
    name = str(info["digest_algorithm"]["algorithm"].native)
    digest = _DIGESTS.get(name)
    if digest is None:
        raise CmsError(f"digest {name} is not accepted")
    covered, attributes = content, {}
    if len(info["signed_attrs"]):
        # RFC 5652 section 5.4: signed is the DER of a SET OF, not the implicitly tagged field
        covered = info["signed_attrs"].untag().dump()
        attributes = dict(_single_values(info["signed_attrs"]))
        _check_digest(attributes, _hash(content, digest))
    _check_signature(signer, info["signature"].native, covered, digest)
    return Signed(content=content, signer=signer, digest=name, attributes=attributes)


def _check_digest(attributes: Mapping[str, bytes], expected: bytes) -> None:
    value = core.load(attributes.get(MESSAGE_DIGEST, b"\x05\x00")).native
    if not isinstance(value, bytes) or not hmac.compare_digest(value, expected):
        raise CmsError("the content is not what was signed")
    if CONTENT_TYPE not in attributes:
        raise CmsError("signed attributes without a content type")


def _single_values(attributes: Any) -> Iterator[tuple[str, bytes]]:
    for attribute in attributes:
        values = attribute["values"]
        if len(values) != 1:
            raise CmsError("an attribute with more or less than one value")
        yield attribute["type"].dotted, bytes(values.contents)


def _certificates(message: Any) -> Iterator[x509.Certificate]:
    for choice in message["certificates"]:
        yield x509.load_der_x509_certificate(choice.chosen.dump())


def _find(message: Any, sid: Any) -> x509.Certificate:
    for certificate in _certificates(message):
        if is_named(sid, certificate):
            return certificate
    raise CmsError("the signer's certificate is missing")


def is_named(sid: Any, certificate: x509.Certificate) -> bool:
    """Whether a signer or recipient identifier, by issuer and serial number, names this certificate."""
    if not isinstance(sid, cms.IssuerAndSerialNumber):
        raise CmsError("named otherwise than by issuer and serial number")
    own = issuer_and_serial(certificate)
    same_issuer = sid["issuer"].dump() == own["issuer"].dump()
    return bool(same_issuer and sid["serial_number"].native == certificate.serial_number)


def _hash(content: bytes, algorithm: hashes.HashAlgorithm) -> bytes:
    digest = hashes.Hash(algorithm)
    digest.update(content)
    return digest.finalize()


def _signature_algorithm(identity: Identity, digest: str) -> algos.SignedDigestAlgorithm:
    rsa_key = isinstance(identity.key, rsa.RSAPrivateKey)
    return algos.SignedDigestAlgorithm({"algorithm": "rsassa_pkcs1v15" if rsa_key else f"{digest}_ecdsa"})


def _signature(identity: Identity, data: bytes, digest: hashes.HashAlgorithm) -> bytes:
    if isinstance(identity.key, rsa.RSAPrivateKey):
        return identity.key.sign(data, padding.PKCS1v15(), digest)
    return identity.key.sign(data, ec.ECDSA(digest))


def _check_signature(signer: x509.Certificate, signature: bytes, data: bytes, digest: hashes.HashAlgorithm) -> None:
    key = signer.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        key.verify(signature, data, padding.PKCS1v15(), digest)
    elif isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(signature, data, ec.ECDSA(digest))
    else:
        raise CmsError("signed with a key that is neither RSA nor EC")
