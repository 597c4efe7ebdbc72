"""What we answer: CertRep (RFC 8894 section 3.3.2) and the certificates of GetCACert (section 4.2)."""

import os
from collections.abc import Sequence
from hashlib import sha256

from asn1crypto import cms, parser
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from enrollment.protocol.scep import attributes
from enrollment.protocol.scep.attributes import Attribute, MessageType, PkiStatus
from enrollment.protocol.scep.authority import RegistrationAuthority, as_asn1, issuer_and_serial
from enrollment.protocol.scep.envelope import seal_envelope
from enrollment.protocol.scep.errors import FailInfo
from enrollment.protocol.scep.request import ScepRequest, Transaction

NONCE_BYTES = 16

# One line each, with LF alone: there are readers that do not strip the CR (RFC 8894 section 3.5.2 allows both).
# SHA-384 is no keyword of the RFC, but true; strongSwan 5.9.8 takes it for SCEPStandard and refuses AES without it.
CAPABILITIES = "Renewal\nSHA-1\nSHA-256\nSHA-384\nSHA-512\nAES\nDES3\nSCEPStandard\nPOSTPKIOperation\n"


def success(request: ScepRequest, certificate: x509.Certificate, *, ra: RegistrationAuthority) -> bytes:
    """CertRep with the issued certificate, readable by whoever holds the key that signed the request.

    The certificate travels alone.  Apple's client takes the first one of the set for its own, and DER sorts a
    set by encoding, so that a short CA certificate would come first; the chain is in GetCACert and the profile.
    The cipher is the one of the request: that one the client can read, and even DES has no secret to keep here.
    """
    envelope = seal_envelope(
        certificates_only([certificate]),
        recipient=asn1_x509.Certificate.load(request.signer_certificate),
        key=request.signer_key,
        cipher=request.content_cipher,
    )
    return _cert_rep(request.transaction, PkiStatus.SUCCESS, envelope, ra=ra)


def failure(transaction: Transaction, fail_info: FailInfo, *, ra: RegistrationAuthority) -> bytes:
    """CertRep without content (RFC 8894 section 3.3.2.2)."""
    return _cert_rep(transaction, PkiStatus.FAILURE, None, attributes.text(Attribute.FAIL_INFO, fail_info), ra=ra)


def certificates_only(certificates: Sequence[x509.Certificate]) -> bytes:
    """The degenerate SignedData of RFC 8894 section 3.4, certificates in the order given."""
    signed = {
        "version": "v1",
        "digest_algorithms": [],
        "encap_content_info": {"content_type": "data"},
        "certificates": _certificate_set(certificates),
        "signer_infos": [],
    }
    return _content_info(signed)


def ca_bundle(ra: x509.Certificate, ca: x509.Certificate) -> bytes:
    """The answer to GetCACert, of type application/x-x509-ca-ra-cert."""
    return certificates_only([ra, ca])


def _cert_rep(
    transaction: Transaction,
    status: PkiStatus,
    content: bytes | None,
    *more: cms.CMSAttribute,
    ra: RegistrationAuthority,
) -> bytes:
    signed_attributes = [
        attributes.content_type(),
        attributes.octets(Attribute.MESSAGE_DIGEST, sha256(content or b"").digest()),
        attributes.text(Attribute.MESSAGE_TYPE, MessageType.CERT_REP),
        attributes.text(Attribute.PKI_STATUS, status),
        attributes.text(Attribute.TRANSACTION_ID, transaction.transaction_id),
        attributes.octets(Attribute.SENDER_NONCE, os.urandom(NONCE_BYTES)),
        attributes.octets(Attribute.RECIPIENT_NONCE, transaction.sender_nonce),
        *more,
    ]
    return _sign(content, cms.CMSAttributes(signed_attributes), ra)


def _sign(content: bytes | None, signed_attributes: cms.CMSAttributes, ra: RegistrationAuthority) -> bytes:
    signer = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier("issuer_and_serial_number", issuer_and_serial(as_asn1(ra.certificate))),
            "digest_algorithm": {"algorithm": "sha256"},
            "signed_attrs": signed_attributes,
            "signature_algorithm": {"algorithm": "rsassa_pkcs1v15"},
            "signature": ra.key.sign(signed_attributes.dump(), PKCS1v15(), SHA256()),
        }
    )
    signed = {
        "version": "v1",
        "digest_algorithms": [{"algorithm": "sha256"}],
        "encap_content_info": {"content_type": "data"} | ({} if content is None else {"content": content}),
        "certificates": _certificate_set([ra.certificate]),
        "signer_infos": [signer],
    }
    return _content_info(signed)


def _content_info(signed: dict[str, object]) -> bytes:
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": cms.SignedData(signed)}).dump())


def _certificate_set(certificates: Sequence[x509.Certificate]) -> cms.CertificateSet:
    """Built from bytes, because asn1crypto would sort; CMS does not ask for DER here (RFC 5652 section 10.2.3)."""
    contents = b"".join(certificate.public_bytes(Encoding.DER) for certificate in certificates)
    return cms.CertificateSet.load(parser.emit(0, 1, cms.CertificateSet.tag, contents))
