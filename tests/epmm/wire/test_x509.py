"""Who issued a certificate: Apple's old links one by one, our own CA strictly."""

from contextlib import nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509 as certificates
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from epmm.wire import cms, x509
from epmm.wire.errors import UntrustedCertificate, WireError
from tests import pki, recorded

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SKEW = timedelta(minutes=5)
CA = pki.authority("Own CA", key=pki.ec_key(1))


def key_usage(*, key_cert_sign: bool) -> tuple[certificates.KeyUsage, bool]:
    bits = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"), False
    )
    rest = {"digital_signature": True, "encipher_only": False, "decipher_only": False}
    return certificates.KeyUsage(key_cert_sign=key_cert_sign, **bits, **rest), True


def assert_not_issued(leaf: pki.Identity, issuer: pki.Identity, *, match: str) -> None:
    with pytest.raises(UntrustedCertificate, match=match):
        x509.issued_by(leaf.certificate, issuer.certificate)


def test_fingerprint_and_loading() -> None:
    assert x509.load(CA.der) == CA.certificate
    assert x509.sha256(CA.der) == CA.certificate.fingerprint(hashes.SHA256())


@pytest.mark.parametrize("der", [b"", b"\x30\x00", CA.der[:-1], CA.der + b"\0", CA.pem])
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(WireError, match="not a certificate"):
        x509.load(der)


def test_real_chain_of_an_iphone() -> None:
    leaf, device_ca, intermediate = map(x509.load, cms.parse_signed(recorded.ENROLLMENT_REQUEST).certificates)

    x509.issued_by(leaf, device_ca)
    x509.issued_by(device_ca, intermediate)
    for wrong in (leaf, intermediate):
        with pytest.raises(UntrustedCertificate):
            x509.issued_by(leaf, wrong)


def test_sha1_short_keys_and_old_dates_are_tolerated() -> None:
    chain = pki.device_chain()

    x509.issued_by(chain.leaf.certificate, chain.device_ca.certificate)
    x509.issued_by(chain.device_ca.certificate, chain.intermediate.certificate)
    x509.issued_by(chain.intermediate.certificate, chain.root.certificate)


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("key", [pki.rsa_key(), pki.ec_key()])
def test_accepted_signatures(digest: str, key: pki.Key) -> None:
    ca = pki.issue("CA", key=key, ca=True)

    x509.issued_by(pki.issue("leaf", issuer=ca, digest=digest).certificate, ca.certificate)


def test_same_name_is_not_the_same_issuer() -> None:
    impostor = pki.authority("Own CA", key=pki.ec_key(2))

    assert_not_issued(pki.issue("leaf", issuer=impostor), CA, match="not signed by this issuer")


def test_same_key_is_not_the_same_issuer() -> None:
    renamed = pki.authority("Other name", key=CA.key)

    assert_not_issued(pki.issue("leaf", issuer=renamed), CA, match="another issuer")


@pytest.mark.parametrize("ca", [False, None])
def test_issuer_must_be_a_ca(ca: bool | None) -> None:  # noqa: FBT001 -- a parameter of pytest
    issuer = pki.issue("CA", ca=ca)

    assert_not_issued(pki.issue("leaf", issuer=issuer), issuer, match="not a CA")


def test_key_usage_must_not_contradict() -> None:
    for allowed in (True, False):
        issuer = pki.issue("CA", ca=True, extensions=[key_usage(key_cert_sign=allowed)])
        leaf = pki.issue("leaf", issuer=issuer)
        if allowed:
            x509.issued_by(leaf.certificate, issuer.certificate)
        else:
            assert_not_issued(leaf, issuer, match="not a CA")


def test_md5_is_refused() -> None:
    ca = pki.issue("CA", key=pki.rsa_key(), ca=True)

    assert_not_issued(pki.issue("leaf", issuer=ca, digest="md5"), ca, match="algorithm")


def with_public_key(identity: pki.Identity, key: rsa.RSAPublicKey | ed25519.Ed25519PublicKey) -> pki.Identity:
    """The same CA with another key put in; its own signature does not matter here."""
    parsed = asn1_x509.Certificate.load(identity.der)
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    parsed["tbs_certificate"]["subject_public_key_info"] = asn1_x509.PublicKeyInfo.load(spki)
    return pki.Identity(x509.load(parsed.dump(force=True)), identity.key)


def test_keys_of_other_kinds_and_sizes_are_refused() -> None:
    leaf = pki.issue("leaf", issuer=CA)
    oversized = rsa.RSAPublicNumbers(65537, (1 << 8200) + 1).public_key()

    for key in (ed25519.Ed25519PrivateKey.generate().public_key(), oversized):
        assert_not_issued(leaf, with_public_key(CA, key), match="not signed")


@pytest.mark.parametrize("exponent", [2**32 - 5, 2**32 + 15, 2**1279 - 1])
def test_public_exponents_that_only_cost_time_are_refused(exponent: int) -> None:
    key = pki.with_exponent(pki.rsa_key(), exponent)
    signature = key.sign(b"signed", padding.PKCS1v15(), hashes.SHA256())
    key.public_key().verify(signature, b"signed", padding.PKCS1v15(), hashes.SHA256())

    with nullcontext() if exponent < 2**32 else pytest.raises(InvalidSignature):
        x509.verify_signature(key.public_key(), signature, b"signed", hashes.SHA256())


def device(**dates: datetime) -> pki.Identity:
    return pki.issue("device", issuer=CA, **dates)  # type: ignore[arg-type] # dates only


def test_own_identity_is_accepted_within_its_dates_and_skew() -> None:
    leaf = device(not_before=NOW, not_after=NOW + timedelta(days=1)).certificate

    for moment in (NOW, NOW - SKEW, NOW + timedelta(days=1) + SKEW):
        x509.verify_own(leaf, CA.certificate, moment, SKEW)


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        (NOW - SKEW - timedelta(seconds=1), "not valid yet"),
        (NOW + timedelta(days=1) + SKEW + timedelta(seconds=1), "expired"),
    ],
)
def test_own_identity_outside_its_dates_is_refused(moment: datetime, message: str) -> None:
    leaf = device(not_before=NOW, not_after=NOW + timedelta(days=1)).certificate

    with pytest.raises(UntrustedCertificate, match=message):
        x509.verify_own(leaf, CA.certificate, moment, SKEW)


FOREIGN = pki.authority("Own CA", key=pki.ec_key(2))
OLD = pki.issue("Own CA", key=CA.key, ca=True, not_after=NOW - timedelta(days=1))
RSA_CA = pki.authority("RSA CA", key=pki.rsa_key())


@pytest.mark.parametrize(
    ("leaf", "authority", "message"),
    [
        (pki.issue("device", issuer=FOREIGN), CA, "not signed"),
        (pki.issue("device", issuer=pki.authority("Other", key=CA.key)), CA, "not signed"),
        (pki.issue("device", issuer=pki.authority("Middle", issuer=CA, key=pki.ec_key(3))), CA, "not signed"),
        (pki.authority("Middle", issuer=CA, key=pki.ec_key(3)), CA, "wrong kind"),
        (CA, CA, "wrong kind"),
        (pki.issue("device", issuer=pki.issue("leaf", issuer=CA)), pki.issue("leaf", issuer=CA), "wrong kind"),
        (device(), OLD, "expired"),
        (pki.issue("device", issuer=RSA_CA, digest="sha1"), RSA_CA, "not signed"),
    ],
)
def test_what_our_ca_did_not_issue_for_a_device_is_refused(
    leaf: pki.Identity, authority: pki.Identity, message: str
) -> None:
    with pytest.raises(UntrustedCertificate, match=message):
        x509.verify_own(leaf.certificate, authority.certificate, NOW, SKEW)
