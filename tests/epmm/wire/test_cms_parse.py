"""What is no CMS SignedData ends as `WireError`, whatever asn1crypto thinks of it; and what we sign."""

import tracemalloc
from pathlib import Path

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import core
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from epmm.wire import cms
from epmm.wire.errors import WireError
from tests import pki, recorded
from tests.mutations import mutated

CONTENT = b"<plist/>"
SIGNER = pki.issue("Signer", key=pki.ec_key())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<plist/>",
        b"\x30\x00",
        b"\x30\x80\0\0",
        b"\x31\x00",
        pki.sign(CONTENT, SIGNER) + b"\0",
        asn1_cms.ContentInfo({"content_type": "data", "content": b"x"}).dump(),
        SIGNER.der,
    ],
)
def test_what_is_not_signed_data_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        cms.parse_signed(raw)


def test_every_truncation_is_refused() -> None:
    for length in range(len(recorded.ENROLLMENT_REQUEST)):
        with pytest.raises(WireError):
            cms.parse_signed(recorded.ENROLLMENT_REQUEST[:length])


def test_size_is_bounded() -> None:
    raw = pki.sign(CONTENT, SIGNER)

    assert cms.parse_signed(raw, max_bytes=len(raw)).content == CONTENT
    with pytest.raises(WireError, match="too large"):
        cms.parse_signed(raw, max_bytes=len(raw) - 1)


@pytest.mark.parametrize(
    "bomb",
    [
        b"\x30\x80" * 100_000,
        b"\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x80" + b"\x24\x80" * 100_000,
        b"\x30\x84\xff\xff\xff\xff" * 10_000,
        b"\x30\x80" + b"\x02\x01\x00" * 100_000,
    ],
)
def test_hostile_nesting_and_lengths_cost_nothing(bomb: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(WireError, match=r"ASN\.1"):
        cms.parse_signed(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 100_000


def test_pieces_of_content_are_joined() -> None:
    """BER, X.690 8.7.3: an octet string in pieces, as real devices send it."""
    raw = pki.sign(CONTENT, SIGNER)
    data, end = bytes.fromhex("06092a864886f70d010701"), b"\0\0"
    whole = b"\x30\x17" + data + b"\xa0\x0a\x04\x08" + CONTENT
    pieces = b"\x24\x80\x04\x03" + CONTENT[:3] + b"\x04\x05" + CONTENT[3:] + end
    assert whole in raw
    # What contains it gets an indefinite length as well: ContentInfo, [0] and SignedData, four octets of header each.
    signed_data = raw[4 + 11 + 4 + 4 :].replace(whole, b"\x30\x80" + data + b"\xa0\x80" + pieces + end + end)
    message = b"\x30\x80" + raw[4 : 4 + 11] + b"\xa0\x80\x30\x80" + signed_data + end * 3

    parsed = cms.parse_signed(message)
    parsed.verify()
    assert parsed.content == CONTENT


VERSION_1, VERSION_3 = b"\x02\x01\x01", b"\x02\x01\x03"
UNKNOWN_TYPE = pki.signed_data(CONTENT, [], [], content_type="1.2.3.4")


def test_content_of_an_unknown_type_is_an_octet_string_too() -> None:
    for raw in (UNKNOWN_TYPE, UNKNOWN_TYPE.replace(VERSION_3, VERSION_1)):
        assert cms.parse_signed(raw).content == CONTENT


def test_content_of_another_form_is_refused() -> None:
    """PKCS#7 allowed any structure there, signed without its tag and length."""
    sequence = UNKNOWN_TYPE.replace(VERSION_3, VERSION_1).replace(b"\x04\x08" + CONTENT, b"\x30\x08" + b"\x05\0" * 4)
    nested = {"content_type": "signed_data", "content": asn1_cms.ContentInfo.load(UNKNOWN_TYPE)["content"]}
    raw = asn1_cms.ContentInfo.load(pki.signed_data(CONTENT, [], []))
    raw["content"]["encap_content_info"] = nested

    for message in (sequence, raw.dump(force=True)):
        with pytest.raises(WireError):
            cms.parse_signed(message)


def test_attributes_are_there_for_who_needs_more_of_them() -> None:
    """SCEP carries its transaction in them."""
    transaction = "2.16.840.1.113733.1.9.7"
    attributes = [*pki.usual_attributes(CONTENT), (transaction, core.PrintableString("id"))]
    info = pki.signer_info(CONTENT, SIGNER, attributes=attributes)
    message = cms.parse_signed(pki.signed_data(CONTENT, [info], [SIGNER]))

    message.verify()
    assert message.signer.attributes is not None
    assert message.signer.attributes[transaction] == (b"\x13\x02id",)


def test_other_kinds_of_certificates_are_passed_over() -> None:
    raw = asn1_cms.ContentInfo.load(pki.sign(CONTENT, SIGNER))
    other = asn1_cms.CertificateChoices("other", {"other_cert_format": "1.2.3", "other_cert": asn1_cms.Integer(1)})
    raw["content"]["certificates"].append(other)

    assert cms.parse_signed(raw.dump(force=True)).certificates == (SIGNER.der,)


def test_certificates_alone_are_a_message_without_signer() -> None:
    raw = pkcs7.serialize_certificates([SIGNER.certificate], Encoding.DER)

    message = cms.parse_signed(raw)
    assert (message.content, message.certificates, message.signers) == (None, (SIGNER.der,), ())


@pytest.mark.parametrize(("signers", "certificates"), [(5, 1), (1, 33)])
def test_number_of_signers_and_certificates_is_bounded(signers: int, certificates: int) -> None:
    crowd = pki.signed_data(CONTENT, [pki.signer_info(CONTENT, SIGNER)] * signers, [SIGNER] * certificates)

    with pytest.raises(WireError, match="too many"):
        cms.parse_signed(crowd)


def test_representation_tells_no_content() -> None:
    text = repr(cms.parse_signed(pki.sign(b"a secret", SIGNER)))

    assert "secret" not in text
    assert "signature=" not in text


@pytest.mark.parametrize("key", [pki.rsa_key(), pki.ec_key(1)])
def test_what_we_sign_verifies(key: pki.Key) -> None:
    ca = pki.authority()
    signer = pki.issue("Profiles", issuer=ca, key=key)
    message = cms.parse_signed(cms.sign(CONTENT, signer.certificate, signer.key, [ca.certificate]))

    message.verify()
    assert message.content == CONTENT
    assert message.signer_certificate == signer.der
    assert set(message.certificates) == {signer.der, ca.der}
    assert message.signer.digest_algorithm == "2.16.840.1.101.3.4.2.1"


@pytest.mark.service("openssl")
@pytest.mark.parametrize("content", [CONTENT, b"line\nline\r\n\0"])
def test_openssl_accepts_what_we_sign(content: bytes, tmp_path: Path) -> None:
    ca = pki.authority()
    signer = pki.issue("Profiles", issuer=ca, key=pki.ec_key(1))
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
    mail = pki.issue("Profiles", issuer=ca, key=pki.rsa_key(), extensions=[(usage, False)])

    for identity in (signer, mail):
        signed = cms.sign(content, identity.certificate, identity.key, [ca.certificate])
        assert recorded.openssl_verify(signed, ca, tmp_path) == content


@settings(deadline=None)
@given(mutated(recorded.ENROLLMENT_REQUEST, recorded.MDM_SIGNATURE_2, pki.sign(CONTENT, SIGNER)) | st.binary())
def test_only_one_kind_of_error_gets_out(raw: bytes) -> None:
    try:
        message = cms.parse_signed(raw)
        message.verify(message.content or recorded.MDM_BODY_2)
    except WireError:
        return
    # Changed where no signature looks: what was signed is still what it was.
    assert message.content in (cms.parse_signed(recorded.ENROLLMENT_REQUEST).content, CONTENT, None)
