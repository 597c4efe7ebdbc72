"""pkiMessage (RFC 8894 section 3.2), as it comes in: first the outside, which names the transaction, then the rest.

What `read_message` refuses (WireError) cannot be answered and is HTTP 400.  What `read_request` refuses (ScepFailure)
is answered with `reply.failure`, for by then the transaction is known.
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa

from enrollment.protocol.scep import keys
from enrollment.protocol.scep.attributes import Attribute, MessageType, read_octets, read_text
from enrollment.protocol.scep.authority import RegistrationAuthority
from enrollment.protocol.scep.ciphers import ContentCipher
from enrollment.protocol.scep.csr import CertificateRequest, read_csr
from enrollment.protocol.scep.envelope import open_envelope
from enrollment.protocol.scep.errors import BadAlg, BadMessageCheck, BadRequest
from enrollment.protocol.scep.transport import MAX_BYTES
from epmm.wire import x509
from epmm.wire.cms import SignedMessage, parse_signed
from epmm.wire.errors import edge

# What GetCACaps announces; MD5 proves nothing any more.
DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
REQUESTS = {MessageType.PKCS_REQ, MessageType.RENEWAL_REQ}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """What every reply repeats, a failure included."""

    transaction_id: str
    sender_nonce: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PkiMessage:
    """The outside of a request.  Nothing of it is verified yet; it is enough to say no."""

    transaction: Transaction
    message_type: str
    signed: SignedMessage = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScepRequest:
    """A request whose signatures hold.  Whether challenge or old certificate entitle to one is not decided here."""

    transaction: Transaction
    message_type: MessageType
    csr: CertificateRequest
    # Self-signed with the key of the CSR (PKCSReq), or whatever the client renews with (RenewalReq): its issuer is
    # not looked at here.  The reply is encrypted to it.
    signer_certificate: bytes = field(repr=False)
    signer_key: rsa.RSAPublicKey
    digest: str
    content_cipher: ContentCipher


def read_message(raw: bytes) -> PkiMessage:
    signed = parse_signed(raw, max_bytes=MAX_BYTES)
    signer = signed.signer
    return PkiMessage(
        transaction=Transaction(
            transaction_id=read_text(signer, Attribute.TRANSACTION_ID),
            sender_nonce=read_octets(signer, Attribute.SENDER_NONCE),
        ),
        message_type=read_text(signer, Attribute.MESSAGE_TYPE),
        signed=signed,
    )


def read_request(message: PkiMessage, *, ra: RegistrationAuthority, allow_legacy: bool) -> ScepRequest:
    if message.message_type not in REQUESTS:
        raise BadRequest("only PKCSReq and RenewalReq are served")
    message_type = MessageType(message.message_type)
    signer_key, digest = _verify(message.signed)
    opened = open_envelope(message.signed.content or b"", ra=ra, allow_legacy=allow_legacy)
    csr = read_csr(opened.plaintext)
    # RFC 8894 section 2.3.  Only who renews may sign with another key, the one certified before.
    if message_type is MessageType.PKCS_REQ and csr.public_key != signer_key:
        raise BadMessageCheck("request is signed with another key than the one to be certified")
    return ScepRequest(
        transaction=message.transaction,
        message_type=message_type,
        csr=csr,
        signer_certificate=message.signed.signer_certificate,
        signer_key=signer_key,
        digest=digest,
        content_cipher=opened.cipher,
    )


def _verify(signed: SignedMessage) -> tuple[rsa.RSAPublicKey, str]:
    digest = DIGESTS.get(signed.signer.digest_algorithm)
    if digest is None:
        raise BadAlg("digest is not supported")
    with edge(BadMessageCheck, "certificate of the signer is missing or unreadable"):
        key = x509.load(signed.signer_certificate).public_key()
    accepted = keys.accept(key)
    with edge(BadMessageCheck, "signature of the message does not hold"):
        signed.verify()
    return accepted, digest
