"""A SCEP client of its own: it shares no code with what it tests."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from asn1crypto import cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.asymmetric.padding import AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AttributeOID, NameOID

from tests import pki

MESSAGE_TYPE, PKI_STATUS, FAIL_INFO, SENDER_NONCE, RECIPIENT_NONCE, TRANSACTION_ID = (
    f"2.16.840.1.113733.1.9.{number}" for number in range(2, 8)
)
NONCE = bytes(range(16))
KEY_BYTES = {"aes128_cbc": 16, "aes192_cbc": 24, "aes256_cbc": 32, "tripledes_3key": 24, "des": 8}


@cache
def device(key: RSAPrivateKey | None = None) -> pki.Identity:
    """What a device signs its request with: the new key, in a certificate that the key itself signed."""
    return pki.issue("F3A1B5D2-63F8-4F7B-8A1B-0C5E1C9D7E21", key=key or pki.rsa_key(number=20), ca=None)


def csr(key: pki.Key, challenge: str | None = "one-time-challenge") -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "what the device would like to be called")])
    wish = x509.CertificateSigningRequestBuilder().subject_name(name)
    wish = wish.add_extension(x509.SubjectAlternativeName([x509.DNSName("device.example")]), critical=False)
    if challenge is not None:
        wish = wish.add_attribute(AttributeOID.CHALLENGE_PASSWORD, challenge.encode())
    return wish.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def attributes(
    message_type: str = "19", transaction_id: str = "7D3E0F", nonce: bytes = NONCE
) -> list[tuple[str, core.Asn1Value]]:
    return [
        (MESSAGE_TYPE, core.PrintableString(message_type)),
        (TRANSACTION_ID, core.PrintableString(transaction_id)),
        (SENDER_NONCE, core.OctetString(nonce)),
    ]


def sign(
    content: bytes,
    signer: pki.Identity,
    *,
    scep: Sequence[tuple[str, core.Asn1Value]] | None = None,
    digest: str = "sha256",
) -> bytes:
    """The outside of a request."""
    both = [*pki.usual_attributes(content, digest), *(attributes() if scep is None else scep)]
    return pki.signed_data(content, [pki.signer_info(content, signer, digest=digest, attributes=both)], [signer])


def seal(
    plaintext: bytes,
    recipient: pki.Identity,
    *,
    cipher: str = "aes256_cbc",
    key: bytes | None = None,
    transport: AsymmetricPadding | None = None,
    **replaced: Any,
) -> bytes:
    """EnvelopedData; `replaced` are fields of its parts to be wrong."""
    key = key or secrets.token_bytes(KEY_BYTES[cipher])
    iv = secrets.token_bytes(block_bytes(cipher))
    public_key = recipient.key.public_key()
    assert isinstance(public_key, RSAPublicKey)
    recipient_info = {
        "version": "v0",
        "rid": issuer_and_serial(recipient.certificate),
        "key_encryption_algorithm": {"algorithm": "rsaes_pkcs1v15"},
        "encrypted_key": public_key.encrypt(key, transport or PKCS1v15()),
    }
    content_info = {
        "content_type": "data",
        "content_encryption_algorithm": {"algorithm": cipher, "parameters": iv},
        "encrypted_content": encrypt(cipher, key, iv, plaintext),
    }
    recipient_info |= {name: value for name, value in replaced.items() if name in recipient_info}
    content_info |= {name: value for name, value in replaced.items() if name in content_info}
    enveloped = {
        "version": "v0",
        "recipient_infos": [cms.RecipientInfo("ktri", recipient_info)],
        "encrypted_content_info": content_info,
    }
    dumped: bytes = cms.ContentInfo({"content_type": "enveloped_data", "content": enveloped}).dump()
    return dumped


def request(
    ra: pki.Identity, signer: pki.Identity | None = None, *, cipher: str = "aes256_cbc", digest: str = "sha256"
) -> bytes:
    """A whole, correct PKCSReq."""
    signer = signer or device()
    return sign(seal(csr(signer.key), ra, cipher=cipher), signer, digest=digest)


@dataclass(frozen=True)
class Reply:
    """A CertRep taken apart, without any check of its signature (OpenSSL does that)."""

    signed: cms.SignedData

    @classmethod
    def load(cls, raw: bytes) -> "Reply":
        return cls(cms.ContentInfo.load(raw, strict=True)["content"])

    @property
    def attributes(self) -> dict[str, core.Asn1Value]:
        (signer,) = self.signed["signer_infos"]
        return {each["type"].dotted: core.load(each["values"][0].dump()) for each in signer["signed_attrs"]}

    def value(self, name: str) -> Any:
        return self.attributes[name].native

    @property
    def envelope(self) -> cms.EnvelopedData:
        return cms.ContentInfo.load(self.signed["encap_content_info"]["content"].native, strict=True)["content"]

    def certificates(self, key: pki.Key) -> list[x509.Certificate]:
        """What the envelope holds for the owner of `key`."""
        assert isinstance(key, RSAPrivateKey)
        encrypted = self.envelope["encrypted_content_info"]
        algorithm = encrypted["content_encryption_algorithm"]
        wrapped = self.envelope["recipient_infos"][0].chosen["encrypted_key"].native
        plain = decrypt(
            algorithm["algorithm"].native,
            key.decrypt(wrapped, PKCS1v15()),
            algorithm["parameters"].native,
            encrypted["encrypted_content"].native,
        )
        return certificates(plain)


def certificates(degenerate: bytes) -> list[x509.Certificate]:
    signed = cms.ContentInfo.load(degenerate, strict=True)["content"]
    return [x509.load_der_x509_certificate(each.chosen.dump()) for each in signed["certificates"]]


def issuer_and_serial(certificate: x509.Certificate) -> cms.RecipientIdentifier:
    parsed = asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
    named = {"issuer": parsed.issuer, "serial_number": parsed.serial_number}
    return cms.RecipientIdentifier("issuer_and_serial_number", named)


def block_bytes(cipher: str) -> int:
    return 16 if cipher.startswith("aes") else 8


def encrypt(cipher: str, key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    padder = padding.PKCS7(block_bytes(cipher) * 8).padder()
    encryptor = Cipher(_algorithm(cipher, key), CBC(iv)).encryptor()
    return encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()


def decrypt(cipher: str, key: bytes, iv: bytes, ciphertext: bytes) -> bytes:
    unpadder = padding.PKCS7(block_bytes(cipher) * 8).unpadder()
    decryptor = Cipher(_algorithm(cipher, key), CBC(iv)).decryptor()
    return unpadder.update(decryptor.update(ciphertext) + decryptor.finalize()) + unpadder.finalize()


def _algorithm(cipher: str, key: bytes) -> BlockCipherAlgorithm:
    if cipher.startswith("aes"):
        return AES(key)
    return TripleDES(key * 3 if cipher == "des" else key)
