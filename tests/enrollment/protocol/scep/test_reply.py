"""What we answer, read by a client and by OpenSSL."""

import subprocess
from pathlib import Path

import pytest
from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from enrollment.protocol.scep.authority import RegistrationAuthority
from enrollment.protocol.scep.errors import FailInfo
from enrollment.protocol.scep.reply import CAPABILITIES, ca_bundle, certificates_only, failure, success
from enrollment.protocol.scep.request import ScepRequest, Transaction, read_message, read_request
from epmm.wire.cms import parse_signed
from tests import pki
from tests.enrollment.protocol.scep import client

DER = ("-inform", "DER", "-binary")
TRANSACTION = Transaction(transaction_id="7D3E0F", sender_nonce=client.NONCE)


def read(registrar: pki.Identity, ra: RegistrationAuthority, cipher: str = "aes256_cbc") -> ScepRequest:
    message = read_message(client.request(registrar, cipher=cipher))
    return read_request(message, ra=ra, allow_legacy=True)


def test_certificate_arrives(ra: RegistrationAuthority, registrar: pki.Identity, issued: x509.Certificate) -> None:
    raw = success(read(registrar, ra), issued, ra=ra)

    signed = parse_signed(raw)
    signed.verify()
    assert signed.signer_certificate == registrar.der
    assert signed.certificates == (registrar.der,)
    reply = client.Reply.load(raw)
    assert reply.value(client.MESSAGE_TYPE) == "3"
    assert reply.value(client.PKI_STATUS) == "0"
    assert reply.value(client.TRANSACTION_ID) == "7D3E0F"
    assert reply.value(client.RECIPIENT_NONCE) == client.NONCE
    assert client.FAIL_INFO not in reply.attributes
    assert reply.certificates(client.device().key) == [issued]


def test_texts_are_printable_strings(ra: RegistrationAuthority) -> None:
    """Apple's client compares encoded bytes."""
    reply = client.Reply.load(failure(TRANSACTION, FailInfo.BAD_REQUEST, ra=ra))

    for name in (client.MESSAGE_TYPE, client.PKI_STATUS, client.FAIL_INFO, client.TRANSACTION_ID):
        assert isinstance(reply.attributes[name], core.PrintableString)


def test_each_reply_has_a_nonce_of_its_own(ra: RegistrationAuthority) -> None:
    replies = [client.Reply.load(failure(TRANSACTION, FailInfo.BAD_REQUEST, ra=ra)) for _ in range(2)]

    first, second = (reply.value(client.SENDER_NONCE) for reply in replies)
    assert len(first) == len(second) == 16
    assert first != second


@pytest.mark.parametrize("cipher", ["aes128_cbc", "aes192_cbc", "aes256_cbc", "tripledes_3key", "des"])
def test_answered_in_the_cipher_of_the_request(
    ra: RegistrationAuthority, registrar: pki.Identity, issued: x509.Certificate, cipher: str
) -> None:
    reply = client.Reply.load(success(read(registrar, ra, cipher), issued, ra=ra))

    algorithm = reply.envelope["encrypted_content_info"]["content_encryption_algorithm"]
    assert algorithm["algorithm"].native == cipher
    assert reply.certificates(client.device().key) == [issued]


def test_renewal_is_answered_to_the_old_certificate(
    ra: RegistrationAuthority, registrar: pki.Identity, ca: pki.Identity, issued: x509.Certificate
) -> None:
    old = pki.issue("enrollment reference", issuer=ca, key=pki.rsa_key(number=21))
    sealed = client.seal(client.csr(pki.rsa_key(number=20), challenge=None), registrar)
    request = read_request(
        read_message(client.sign(sealed, old, scep=client.attributes("17"))), ra=ra, allow_legacy=False
    )

    reply = client.Reply.load(success(request, issued, ra=ra))

    recipient = reply.envelope["recipient_infos"][0].chosen["rid"].chosen
    assert recipient["serial_number"].native == old.certificate.serial_number
    assert reply.certificates(old.key) == [issued]


@pytest.mark.parametrize("fail_info", FailInfo)
def test_failure(ra: RegistrationAuthority, fail_info: FailInfo) -> None:
    raw = failure(TRANSACTION, fail_info, ra=ra)

    signed = parse_signed(raw)
    assert signed.content is None
    signed.verify(b"")
    reply = client.Reply.load(raw)
    assert reply.value(client.MESSAGE_TYPE) == "3"
    assert reply.value(client.PKI_STATUS) == "2"
    assert reply.value(client.FAIL_INFO) == fail_info.value
    assert reply.value(client.TRANSACTION_ID) == "7D3E0F"
    assert reply.value(client.RECIPIENT_NONCE) == client.NONCE


def test_certificates_keep_their_order(ca: pki.Identity, registrar: pki.Identity) -> None:
    first, second = ca.certificate, registrar.certificate

    assert client.certificates(ca_bundle(registrar.certificate, ca.certificate)) == [second, first]
    assert client.certificates(certificates_only([first, second])) == [first, second]


def test_capabilities() -> None:
    """What Apple's clients look for; some only split at LF."""
    required = {"Renewal", "SHA-1", "SHA-256", "SHA-512", "AES", "DES3", "SCEPStandard", "POSTPKIOperation"}

    assert required <= set(CAPABILITIES.split("\n"))


def openssl(*arguments: str | Path) -> bytes:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


@pytest.mark.service("openssl")
@pytest.mark.parametrize("cipher", ["aes128_cbc", "aes256_cbc", "tripledes_3key"])
def test_openssl_reads_a_success(
    tmp_path: Path,
    ra: RegistrationAuthority,
    registrar: pki.Identity,
    ca: pki.Identity,
    issued: x509.Certificate,
    cipher: str,
) -> None:
    device = client.device()
    reply, envelope, degenerate, root, identity = (tmp_path / name for name in ("a", "b", "c", "ca.pem", "device.pem"))
    reply.write_bytes(success(read(registrar, ra, cipher), issued, ra=ra))
    root.write_bytes(ca.pem)
    identity.write_bytes(device.pem + device.key_pem)

    openssl("cms", "-verify", *DER, "-in", reply, "-CAfile", root, "-purpose", "any", "-out", envelope)
    openssl("cms", "-decrypt", *DER, "-in", envelope, "-recip", identity, "-inkey", identity, "-out", degenerate)
    pem = openssl("pkcs7", "-inform", "DER", "-in", degenerate, "-print_certs")

    assert x509.load_pem_x509_certificates(pem) == [issued]


@pytest.mark.service("openssl")
def test_openssl_reads_a_failure(tmp_path: Path, ra: RegistrationAuthority, ca: pki.Identity) -> None:
    reply, root, nothing = (tmp_path / name for name in ("reply", "ca.pem", "nothing"))
    reply.write_bytes(failure(TRANSACTION, FailInfo.BAD_REQUEST, ra=ra))
    root.write_bytes(ca.pem)
    nothing.touch()

    shown = openssl("cms", "-verify", *DER, "-in", reply, "-CAfile", root, "-purpose", "any", "-content", nothing)

    assert shown == b""


@pytest.mark.service("openssl")
def test_openssl_reads_the_bundle(tmp_path: Path, ca: pki.Identity, registrar: pki.Identity) -> None:
    bundle = tmp_path / "bundle"
    bundle.write_bytes(ca_bundle(registrar.certificate, ca.certificate))

    found = x509.load_pem_x509_certificates(openssl("pkcs7", "-inform", "DER", "-in", bundle, "-print_certs"))

    assert [each.public_bytes(Encoding.DER) for each in found] == [registrar.der, ca.der]
