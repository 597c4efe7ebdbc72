"""The PKCS #10 request inside the envelope (RFC 2986).

Read with asn1crypto: the reader of `cryptography` refuses attributes that are not in the order of DER.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from asn1crypto import csr as asn1_csr
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from enrollment.protocol.scep import keys
from enrollment.protocol.scep.errors import BadMessageCheck
from epmm.wire import ber
from epmm.wire.errors import edge
from epmm.wire.x509 import verify_signature

LONGEST_CHALLENGE = 255  # pkcs-9-ub-challengePassword, RFC 2985 appendix A

_DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 -- the client's own key signs its own request; it proves possession only
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """What we take from a request.  The subject and extensions that it asks for are not ours to grant."""

    public_key: rsa.RSAPublicKey
    challenge_password: str | None = field(repr=False)

    @property
    def spki_sha256(self) -> bytes:
        return sha256(self.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()

    @property
    def key_size(self) -> int:
        return self.public_key.key_size


def read_csr(raw: bytes) -> CertificateRequest:
    """The request, once its own signature holds.

    All that can be wrong is one refusal, the same as for an envelope that cannot be decrypted.  Whoever could tell
    them apart would find out, byte by byte, what other people's envelopes hold: their challenge.
    """
    with edge(BadMessageCheck, "envelope holds no valid certificate request"):
        ber.check(raw)
        request = asn1_csr.CertificationRequest.load(raw, strict=True)
        info = request["certification_request_info"]
        key = keys.accept(load_der_public_key(info["subject_pk_info"].dump()))
        digest = _DIGESTS[request["signature_algorithm"].hash_algo]
        verify_signature(key, request["signature"].native, info.dump(), digest)
        return CertificateRequest(public_key=key, challenge_password=_challenge(info))


def _challenge(info: Any) -> str | None:
    found = [each["values"] for each in info["attributes"] if each["type"].native == "challenge_password"]
    if not found:
        return None
    ((value,),) = found  # PKCS #9 allows one attribute with one value
    password = str(value.native)
    if len(password) > LONGEST_CHALLENGE:
        raise ValueError("challenge is too long")
    return password
