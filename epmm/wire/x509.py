"""Certificates: loading them, and who issued them.

`cryptography` refuses the SHA-1 signatures of Apple's device CAs, rightly for the web, so `issued_by` checks a single
link by itself.  What our own CA issued is held to the strict rules by `verify_own`.
"""

import hashlib
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from epmm.wire.errors import UntrustedCertificate, WireError, edge

# Larger RSA keys only cost time: a verification takes it with the square of the size, and with the length of the public
# exponent.  That is 65537 nearly everywhere; Go and Windows' CryptoAPI take none of more than 31 and 32 bits.  One of
# 3,000 bits, which FIPS 186-5 forbids and OpenSSL takes, would cost 10 ms.
_LARGEST_RSA = 8192
LARGEST_EXPONENT = 2**32
_HASHES = (hashes.SHA1, hashes.SHA256, hashes.SHA384, hashes.SHA512)


def sha256(der: bytes) -> bytes:
    """The fingerprint by which a certificate is pinned."""
    return hashlib.sha256(der).digest()


def load(der: bytes) -> x509.Certificate:
    with edge(WireError, "not a certificate"):
        return x509.load_der_x509_certificate(der)


def verify_signature(
    key: CertificatePublicKeyTypes, signature: bytes, signed: bytes, algorithm: hashes.HashAlgorithm
) -> None:
    """RSA PKCS#1 v1.5 or ECDSA, by the kind of key; raises `InvalidSignature`."""
    match key:
        case rsa.RSAPublicKey() if key.key_size <= _LARGEST_RSA and key.public_numbers().e < LARGEST_EXPONENT:
            key.verify(signature, signed, padding.PKCS1v15(), algorithm)
        case ec.EllipticCurvePublicKey():
            key.verify(signature, signed, ec.ECDSA(algorithm))
        case _:
            raise InvalidSignature


def issued_by(leaf: x509.Certificate, issuer: x509.Certificate) -> None:
    """`issuer` is a CA, bears the name that `leaf` gives, and its key signed `leaf`.

    SHA-1 and RSA with 1024 bits are good enough here, and dates are not looked at: both are for Apple's device CAs,
    which use the first and are past the second, and still issue.
    """
    with edge(UntrustedCertificate, "certificate is not signed by this issuer"):
        _check_link(leaf, issuer)


def verify_own(leaf: x509.Certificate, authority: x509.Certificate, now: datetime, skew: timedelta) -> None:
    """`leaf` is a device identity that our `authority` issued, and both are valid now, give or take `skew`."""
    with edge(UntrustedCertificate, "certificate is not signed by our authority"):
        leaf.verify_directly_issued_by(authority)
        if not _is_ca(authority) or _is_ca(leaf):
            raise UntrustedCertificate("certificate is of the wrong kind")
    for certificate in (leaf, authority):
        if now + skew < certificate.not_valid_before_utc:
            raise UntrustedCertificate("certificate is not valid yet")
        if now - skew > certificate.not_valid_after_utc:
            raise UntrustedCertificate("certificate has expired")


def _check_link(leaf: x509.Certificate, issuer: x509.Certificate) -> None:
    algorithm = leaf.signature_hash_algorithm
    if leaf.issuer != issuer.subject:
        raise UntrustedCertificate("certificate names another issuer")
    if not _is_ca(issuer):
        raise UntrustedCertificate("issuer is not a CA")
    if not isinstance(algorithm, _HASHES):
        raise UntrustedCertificate("certificate is signed with an algorithm we do not accept")
    verify_signature(issuer.public_key(), leaf.signature, leaf.tbs_certificate_bytes, algorithm)


def _is_ca(certificate: x509.Certificate) -> bool:
    """RFC 5280, 4.2.1.9 and 4.2.1.3: basicConstraints says so, and keyUsage, if there is one, does not contradict."""
    try:
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound as absent:
        return absent.oid == x509.KeyUsage.oid
