"""The request, the vendor's signature and the certificate, against OpenSSL and against what goes wrong."""

import plistlib
import subprocess
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import NameOID

from devices.protocol import push_certificate
from devices.protocol.push_certificate import Facts, SignedRequest
from epmm.wire.errors import SignatureMismatch, UntrustedCertificate, WireError
from tests import apple_portal, pki

KEY = pki.rsa_key(number=74)
CSR = push_certificate.build_csr(KEY, organization="Example & Söhne")


def signed() -> SignedRequest:
    vendor = apple_portal.vendor()
    key = vendor[0].key
    assert isinstance(key, rsa.RSAPrivateKey)
    return SignedRequest.sign(CSR, [each.certificate for each in vendor], key)


def test_openssl_finds_the_request_good() -> None:
    command = ["openssl", "req", "-inform", "DER", "-verify", "-noout", "-text"]
    said = subprocess.run(command, input=CSR, capture_output=True, check=True)

    assert b"verify OK" in said.stdout + said.stderr
    assert b"sha256WithRSAEncryption" in said.stdout
    assert b"(2048 bit)" in said.stdout


def test_pem_is_the_same_request() -> None:
    assert x509.load_pem_x509_csr(push_certificate.to_pem(CSR)) == x509.load_der_x509_csr(CSR)


def test_a_signed_request_is_what_the_portal_takes(tmp_path: Path) -> None:
    """A property list in base64; OpenSSL finds the signature good."""
    content = plistlib.loads(b64decode(signed().render(), validate=True))

    assert list(content) == ["PushCertRequestCSR", "PushCertCertificateChain", "PushCertSignature"]
    assert b64decode(content["PushCertRequestCSR"], validate=True) == CSR
    (tmp_path / "vendor.pem").write_bytes(
        apple_portal.vendor()[0].key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    (tmp_path / "signature").write_bytes(b64decode(content["PushCertSignature"], validate=True))
    command = ["openssl", "dgst", "-sha256", "-verify", "vendor.pem", "-signature", "signature"]
    said = subprocess.run(command, input=CSR, capture_output=True, check=True, cwd=tmp_path)
    assert said.stdout == b"Verified OK\n"


def test_the_chain_is_in_lines_of_64_characters() -> None:
    chain = plistlib.loads(b64decode(signed().render()))["PushCertCertificateChain"]

    assert x509.load_pem_x509_certificates(chain.encode()) == [each.certificate for each in apple_portal.vendor()]
    for certificate in chain.split("-----BEGIN CERTIFICATE-----\n")[1:]:
        *full, last = certificate.partition("\n-----END")[0].split("\n")
        assert {len(line) for line in full} == {64}
        assert 0 < len(last) <= 64


def wrapped(raw: bytes) -> bytes:
    return b"\r\n".join(raw[start : start + 76] for start in range(0, len(raw), 76)) + b"\r\n"


@pytest.mark.parametrize("shape", [lambda raw: raw, wrapped, b64decode], ids=["file", "in lines", "property list"])
def test_a_request_signed_elsewhere_is_read(shape: Any) -> None:
    request = SignedRequest.read(shape(signed().render()))

    assert request == signed()
    request.verify()


def test_base64_in_lines_inside_is_read() -> None:
    content = plistlib.loads(b64decode(signed().render()))
    content["PushCertRequestCSR"] = wrapped(content["PushCertRequestCSR"].encode()).decode()

    assert SignedRequest.read(b64encode(plistlib.dumps(content))).csr == CSR


@pytest.mark.parametrize("key", ["PushCertRequestCSR", "PushCertCertificateChain", "PushCertSignature"])
@pytest.mark.parametrize("value", [None, 7, "no base64 or PEM!", "é"])
def test_a_part_that_is_wrong_is_refused(key: str, value: Any) -> None:
    content = plistlib.loads(b64decode(signed().render())) | {key: value}
    file = plistlib.dumps({name: part for name, part in content.items() if part is not None})

    with pytest.raises(WireError):
        SignedRequest.read(file)


@pytest.mark.parametrize("file", [b"", b"\xff", b"bm8=", CSR, push_certificate.to_pem(CSR), b" " * 70_000])
def test_another_file_is_no_signed_request(file: bytes) -> None:
    with pytest.raises(WireError):
        SignedRequest.read(file)


def test_a_signature_over_another_request_does_not_hold() -> None:
    other = push_certificate.build_csr(KEY, organization="Other")

    with pytest.raises(SignatureMismatch):
        SignedRequest(csr=other, chain=signed().chain, signature=signed().signature).verify()


def test_a_vendor_with_an_elliptic_key_is_refused() -> None:
    with pytest.raises(SignatureMismatch):
        SignedRequest(csr=CSR, chain=[pki.issue("EC").certificate], signature=b"").verify()


def test_a_vendor_whose_key_takes_long_to_check_is_refused() -> None:
    key = pki.with_exponent(pki.rsa_key(), 2**1279 - 1)

    with pytest.raises(SignatureMismatch):
        SignedRequest.sign(CSR, [pki.issue("Vendor", key=key).certificate], key).verify()


def test_a_whole_chain_holds() -> None:
    push_certificate.verify_chain([each.certificate for each in apple_portal.vendor()])


@pytest.mark.parametrize("places", [[0], [2], [2, 2], [0, 1], [0, 2], [1, 0, 2], [0, 1, 2, 0]])
def test_a_chain_with_a_gap_does_not(places: list[int]) -> None:
    with pytest.raises(UntrustedCertificate):
        push_certificate.verify_chain([apple_portal.vendor()[place].certificate for place in places])


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
def test_what_a_certificate_says(encoding: Encoding) -> None:
    issued = apple_portal.issue(KEY.public_key())

    (certificate,) = push_certificate.read_certificates(issued.public_bytes(encoding))
    facts = Facts.of(certificate)

    assert facts == Facts(
        topic=apple_portal.TOPIC,
        serial_number=f"{issued.serial_number:X}",
        issuer="C=US,O=Apple Inc.,OU=Apple Certification Authority,"
        "CN=Apple Application Integration 2 Certification Authority",
        is_by_apple=True,
        key_sha256=push_certificate.key_sha256(KEY.public_key()),
        not_before=issued.not_valid_before_utc,
        not_after=issued.not_valid_after_utc,
    )


def name(**parts: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(getattr(NameOID, key.upper()), value) for key, value in parts.items()])


@pytest.mark.parametrize(
    ("issuer", "by_apple"),
    [
        (name(organization_name="Apple Inc.", common_name="Apple Application Integration CA - G3"), True),
        (name(organization_name="Apple Inc.", common_name="Apple iPhone Device CA"), False),
        (name(organization_name="Apple", common_name="Apple Application Integration CA - G3"), False),
        (name(organization_name="Apple Inc."), False),
        (name(common_name="Apple Application Integration CA - G3"), False),
    ],
)
def test_whose_issuer_is_apple_by_name(issuer: x509.Name, *, by_apple: bool) -> None:
    assert Facts.of(apple_portal.issue(KEY.public_key(), issuer=issuer)).is_by_apple is by_apple


@pytest.mark.parametrize(
    "topic", [None, "com.example.app", "com.apple.mgmt.", "com.apple.mgmt.é", "com.apple.mgmt.a b", "xcom.apple.mgmt.x"]
)
def test_a_certificate_without_an_mdm_topic_is_refused(topic: str | None) -> None:
    with pytest.raises(WireError):
        Facts.of(apple_portal.issue(KEY.public_key(), topic=topic))


def test_a_certificate_for_an_elliptic_key_is_refused() -> None:
    with pytest.raises(WireError, match="not a certificate for an RSA key"):
        Facts.of(pki.issue("EC").certificate)


@pytest.mark.parametrize(
    "raw", [b"", b"-----BEGIN CERTIFICATE-----\n", push_certificate.to_pem(CSR), CSR, b"\x30" * 70_000]
)
def test_what_is_no_certificate_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        push_certificate.read_certificates(raw)


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_key_is_read(encoding: Encoding, form: PrivateFormat) -> None:
    raw = KEY.private_bytes(encoding, form, NoEncryption())

    assert push_certificate.read_key(raw).private_numbers() == KEY.private_numbers()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        pki.Identity(pki.issue("x").certificate, pki.ec_key()).key_pem,
        pki.Identity(pki.issue("x").certificate, pki.rsa_key(1024, number=4)).key_pem,
        KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
    ],
    ids=["nothing", "elliptic", "short", "with a password"],
)
def test_a_key_that_cannot_be_used_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        push_certificate.read_key(raw)
