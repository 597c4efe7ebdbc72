"""pkcsPKIEnvelope (RFC 8894 section 3.2.2): CMS EnvelopedData with RSA key transport."""

import os
from dataclasses import dataclass, field
from typing import Any

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP, AsymmetricPadding, PKCS1v15

from enrollment.protocol.scep import ciphers
from enrollment.protocol.scep.authority import RegistrationAuthority, as_asn1, is_named_by, issuer_and_serial
from enrollment.protocol.scep.ciphers import ContentCipher
from enrollment.protocol.scep.errors import BadAlg, BadCertId, BadMessageCheck, BadRequest
from epmm.wire import ber
from epmm.wire.errors import edge

_OAEP_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 -- the default of OAEP, where collisions do not matter
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    plaintext: bytes = field(repr=False)
    cipher: ContentCipher


@dataclass(frozen=True, slots=True, kw_only=True)
class _WrappedKey:
    padding: AsymmetricPadding | None  # None for a key transport we do not know
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sealed:
    algorithm: str
    iv: object
    ciphertext: bytes = field(repr=False)
    wrapped: _WrappedKey | None  # None when it is for another recipient


def open_envelope(raw: bytes, *, ra: RegistrationAuthority, allow_legacy: bool) -> Opened:
    with edge(BadRequest, "content is not a readable envelope"):
        sealed = _read(raw, ra)
    cipher, iv = _cipher(sealed, allow_legacy=allow_legacy)
    if sealed.wrapped is None:
        raise BadCertId("envelope is for another certificate")
    if sealed.wrapped.padding is None:
        raise BadAlg("key transport is not supported")
    key = _content_key(sealed.wrapped.key, sealed.wrapped.padding, ra, cipher)
    with edge(BadMessageCheck, "envelope cannot be decrypted"):
        return Opened(plaintext=ciphers.decrypt(cipher, key, iv, sealed.ciphertext), cipher=cipher)


def seal_envelope(
    plaintext: bytes, *, recipient: asn1_x509.Certificate, key: rsa.RSAPublicKey, cipher: ContentCipher
) -> bytes:
    content_key, iv = os.urandom(cipher.key_bytes), os.urandom(cipher.block_bytes)
    key_transport = {
        "version": "v0",
        "rid": cms.RecipientIdentifier("issuer_and_serial_number", issuer_and_serial(recipient)),
        "key_encryption_algorithm": {"algorithm": "rsaes_pkcs1v15"},
        "encrypted_key": key.encrypt(content_key, PKCS1v15()),
    }
    enveloped = {
        "version": "v0",
        "recipient_infos": [cms.RecipientInfo("ktri", key_transport)],
        "encrypted_content_info": {
            "content_type": "data",
            "content_encryption_algorithm": {"algorithm": cipher.value, "parameters": iv},
            "encrypted_content": ciphers.encrypt(cipher, content_key, iv, plaintext),
        },
    }
    return bytes(cms.ContentInfo({"content_type": "enveloped_data", "content": enveloped}).dump())


def _read(raw: bytes, ra: RegistrationAuthority) -> _Sealed:
    ber.check(raw)
    info = cms.ContentInfo.load(raw, strict=True)
    if info["content_type"].native != "enveloped_data":
        raise BadRequest("content is not an envelope")
    content = info["content"]["encrypted_content_info"]
    algorithm = content["content_encryption_algorithm"]
    return _Sealed(
        algorithm=algorithm["algorithm"].native,
        iv=algorithm["parameters"].native,
        ciphertext=bytes(content["encrypted_content"]),
        wrapped=_wrapped_key(info["content"]["recipient_infos"], as_asn1(ra.certificate)),
    )


def _wrapped_key(recipients: Any, certificate: asn1_x509.Certificate) -> _WrappedKey | None:
    for recipient in recipients:
        if recipient.name == "ktri" and is_named_by(recipient.chosen["rid"], certificate):
            transport = recipient.chosen["key_encryption_algorithm"]
            return _WrappedKey(padding=_padding(transport), key=bytes(recipient.chosen["encrypted_key"]))
    return None


def _padding(transport: Any) -> AsymmetricPadding | None:
    match transport["algorithm"].native:
        case "rsaes_pkcs1v15":
            return PKCS1v15()
        case "rsaes_oaep":
            parameters = transport["parameters"]
            digest = _OAEP_DIGESTS.get(parameters["hash_algorithm"]["algorithm"].native)
            mask = _OAEP_DIGESTS.get(parameters["mask_gen_algorithm"]["parameters"]["algorithm"].native)
            return OAEP(mgf=MGF1(mask), algorithm=digest, label=None) if digest and mask else None
        case _:
            return None


def _cipher(sealed: _Sealed, *, allow_legacy: bool) -> tuple[ContentCipher, bytes]:
    with edge(BadAlg, "content cipher is not supported"):
        cipher = ContentCipher(sealed.algorithm)
    if cipher is ContentCipher.DES and not allow_legacy:
        raise BadAlg("DES is switched off")
    if not isinstance(sealed.iv, bytes) or len(sealed.iv) != cipher.block_bytes:
        raise BadAlg("initialisation vector does not fit the cipher")
    return cipher, sealed.iv


def _content_key(wrapped: bytes, padding: AsymmetricPadding, ra: RegistrationAuthority, cipher: ContentCipher) -> bytes:
    """The key of the content, or a random one if `wrapped` holds none.

    Whoever could tell a wrong RSA padding from a wrong content could decrypt other people's envelopes (RFC 3218
    section 2.3).  OpenSSL answers wrong padding with a random text of random length; from there on it is our turn.
    """
    substitute = os.urandom(cipher.key_bytes)
    try:
        key = ra.key.decrypt(wrapped, padding)
    except ValueError:
        return substitute
    return key if len(key) == cipher.key_bytes else substitute
