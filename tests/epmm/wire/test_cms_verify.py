"""Signatures that count, and every way in which they do not."""

from pathlib import Path
from typing import Any

import pytest
from asn1crypto import cms as asn1_cms

from epmm.wire import cms
from epmm.wire.errors import SignatureMismatch
from tests import pki, recorded

CONTENT = b"<plist/>"
SIGNERS = {"rsa": pki.issue("RSA", key=pki.rsa_key()), "ecdsa": pki.issue("ECDSA", key=pki.ec_key())}
SIGNER = SIGNERS["ecdsa"]
OTHER = pki.issue("Other", key=pki.ec_key(1))
TIME_STAMP = "1.2.840.113549.1.9.16.1.4"


def assert_mismatch(raw: bytes, content: bytes | None = None, *, match: str) -> None:
    with pytest.raises(SignatureMismatch, match=match):
        cms.parse_signed(raw).verify(content)


@pytest.mark.parametrize("kind", SIGNERS)
@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("attributes", [True, False])
def test_accepted_signatures(kind: str, digest: str, attributes: bool) -> None:  # noqa: FBT001 -- a parameter of pytest
    signer = SIGNERS[kind]
    attached = pki.sign(CONTENT, signer, digest=digest, attributes=attributes)
    detached = pki.sign(CONTENT, signer, digest=digest, attributes=attributes, detached=True)

    message = cms.parse_signed(attached)
    message.verify()
    cms.parse_signed(detached).verify(CONTENT)
    assert (message.content, message.signer_certificate) == (CONTENT, signer.der)

    assert_mismatch(attached.replace(CONTENT, b"<plisT/>"), match="altered|does not match")
    assert_mismatch(detached, b"<plisT/>", match="altered|does not match")


def test_enrollment_request_of_a_real_iphone() -> None:
    message = cms.parse_signed(recorded.ENROLLMENT_REQUEST)

    message.verify()
    assert message.content is not None
    assert b"iPhone12,1" in message.content
    assert len(message.certificates) == 3
    assert message.signer.attributes


def test_mdm_signature_of_a_real_device_has_no_attributes() -> None:
    message = cms.parse_signed(recorded.MDM_SIGNATURE_2)

    message.verify(recorded.MDM_BODY_2)
    assert message.content is None
    assert message.signer.attributes is None


def test_mdm_signature_over_another_body_is_refused() -> None:
    assert_mismatch(recorded.MDM_SIGNATURE_1, recorded.MDM_BODY_2, match="does not match")


@pytest.mark.parametrize("change", range(0, len(recorded.MDM_BODY_2), 7))
def test_mdm_signature_over_a_changed_body_is_refused(change: int) -> None:
    body = bytearray(recorded.MDM_BODY_2)
    body[change] ^= 0x20

    assert_mismatch(recorded.MDM_SIGNATURE_2, bytes(body), match="does not match")


def test_content_is_missing() -> None:
    assert_mismatch(pki.sign(CONTENT, SIGNER, detached=True), match="missing")


def test_content_inside_may_be_given_again_but_no_other() -> None:
    raw = pki.sign(CONTENT, SIGNER)

    cms.parse_signed(raw).verify(CONTENT)
    assert_mismatch(raw, b"other", match="other content")


def test_empty_content_is_content() -> None:
    cms.parse_signed(pki.sign(b"", SIGNER)).verify()
    cms.parse_signed(pki.sign(b"", SIGNER, detached=True)).verify(b"")


@pytest.mark.parametrize("number", [0, 2])
def test_number_of_signers_other_than_one_is_refused(number: int) -> None:
    signers = [pki.signer_info(CONTENT, SIGNER)] * number

    assert_mismatch(pki.signed_data(CONTENT, signers, [SIGNER]), match="one signer")


@pytest.mark.parametrize("included", [[], [OTHER]])
def test_certificate_of_the_signer_is_missing(included: list[pki.Identity]) -> None:
    for by_key_identifier in (False, True):
        info = pki.signer_info(CONTENT, SIGNER, by_key_identifier=by_key_identifier)
        assert_mismatch(pki.signed_data(CONTENT, [info], included), match="missing")


def test_signer_is_found_among_others() -> None:
    for by_key_identifier in (False, True):
        info = pki.signer_info(CONTENT, SIGNER, by_key_identifier=by_key_identifier)
        message = cms.parse_signed(pki.signed_data(CONTENT, [info], [OTHER, SIGNER]))

        message.verify()
        assert message.signer_certificate == SIGNER.der
        assert set(message.certificates) == {OTHER.der, SIGNER.der}  # DER sorts them by their bytes


def test_certificate_without_key_identifier_is_passed_over() -> None:
    bare = asn1_cms.CertificateChoices.load(OTHER.der)
    extensions = bare.chosen["tbs_certificate"]["extensions"]
    bare.chosen["tbs_certificate"]["extensions"] = [e for e in extensions if e["extn_id"].native != "key_identifier"]
    raw = asn1_cms.ContentInfo.load(pki.signed_data(CONTENT, [], [SIGNER]))
    raw["content"]["certificates"] = [bare.chosen, *(each.chosen for each in raw["content"]["certificates"])]
    raw["content"]["signer_infos"] = [pki.signer_info(CONTENT, SIGNER, by_key_identifier=True)]

    cms.parse_signed(raw.dump(force=True)).verify()


def test_another_key_is_refused() -> None:
    info = pki.signer_info(CONTENT, SIGNER)
    impostor = pki.signer_info(CONTENT, pki.Identity(SIGNER.certificate, OTHER.key))

    cms.parse_signed(pki.signed_data(CONTENT, [info], [SIGNER])).verify()
    assert_mismatch(pki.signed_data(CONTENT, [impostor], [SIGNER]), match="does not match")


@pytest.mark.parametrize(
    "attributes",
    [
        [],
        [("content_type", "data")],
        [("message_digest", b"\0" * 32)],
        [("content_type", "data"), ("message_digest", b"\0" * 32)],
        [("content_type", "data"), ("message_digest", b"")],
        [("content_type", "signed_data"), pki.usual_attributes(CONTENT)[1]],
        [*pki.usual_attributes(CONTENT), ("content_type", "data")],
        [*pki.usual_attributes(CONTENT), pki.usual_attributes(CONTENT)[1]],
    ],
)
def test_signed_attributes_must_name_the_content(attributes: list[tuple[str, Any]]) -> None:
    info = pki.signer_info(CONTENT, SIGNER, attributes=attributes)

    assert_mismatch(pki.signed_data(CONTENT, [info], [SIGNER]), match="altered|attribute|another type")


def test_attributes_are_signed_too() -> None:
    info = pki.signer_info(b"other content", SIGNER)
    info["signed_attrs"] = pki.signer_info(CONTENT, SIGNER)["signed_attrs"]

    assert_mismatch(pki.signed_data(CONTENT, [info], [SIGNER]), match="does not match")


def test_signature_over_attributes_is_none_over_them_as_content() -> None:
    """Without this check one who saw a message could present its attributes as another message."""
    signed = pki.signer_info(CONTENT, SIGNER)
    as_content = signed["signed_attrs"].untag().dump(force=True)
    without = pki.signer_info(CONTENT, SIGNER, attributes=False)
    without["signature"] = signed["signature"]

    assert_mismatch(pki.signed_data(as_content, [without], [SIGNER]), match="without attributes")


def test_other_content_types_need_attributes() -> None:
    info = pki.signer_info(CONTENT, SIGNER, attributes=False)
    named = pki.signer_info(
        CONTENT, SIGNER, attributes=[("content_type", TIME_STAMP), pki.usual_attributes(CONTENT)[1]]
    )

    assert_mismatch(pki.signed_data(CONTENT, [info], [SIGNER], content_type=TIME_STAMP), match="without attributes")
    cms.parse_signed(pki.signed_data(CONTENT, [named], [SIGNER], content_type=TIME_STAMP)).verify()


@pytest.mark.parametrize(
    ("digest", "signature"),
    [
        ("md5", "md5_rsa"),
        ("sha256", "rsassa_pss"),
        ("sha256", "sha1_rsa"),
        ("sha1", "sha256_rsa"),
        ("sha256", "sha256_ecdsa"),  # the key is RSA
        ("sha256", "sha256_dsa"),
        ("sha224", "sha224_rsa"),
        ("sha256", "ed25519"),
        ("md5", "rsassa_pkcs1v15"),
    ],
)
def test_algorithms_that_are_not_accepted(digest: str, signature: str) -> None:
    info = pki.signer_info(CONTENT, SIGNERS["rsa"], attributes=False)
    info["digest_algorithm"] = {"algorithm": digest}
    info["signature_algorithm"] = {"algorithm": signature}

    assert_mismatch(pki.signed_data(CONTENT, [info], [SIGNERS["rsa"]]), match="accepted|fit together")


@pytest.mark.parametrize("oid", ["1.2.840.113549.1.1.1", "1.3.14.3.2.29"])
def test_older_names_of_rsa(oid: str) -> None:
    info = pki.signer_info(CONTENT, SIGNERS["rsa"], digest="sha1")
    info["signature_algorithm"] = {"algorithm": oid}

    cms.parse_signed(pki.signed_data(CONTENT, [info], [SIGNERS["rsa"]])).verify()


def test_ec_key_type_as_signature_algorithm() -> None:
    info = pki.signer_info(CONTENT, SIGNER)
    info["signature_algorithm"] = asn1_cms.SignedDigestAlgorithm({"algorithm": "1.2.840.10045.2.1"})

    cms.parse_signed(pki.signed_data(CONTENT, [info], [SIGNER])).verify()


def test_broken_certificate_of_the_signer_is_no_other_error() -> None:
    raw = pki.sign(CONTENT, SIGNER)
    version = raw.index(bytes.fromhex("a003020102"))  # v3, which the extensions need

    assert_mismatch(raw[: version + 4] + b"\x09" + raw[version + 5 :], match="does not match")


@pytest.mark.service("openssl")
@pytest.mark.parametrize("kind", SIGNERS)
@pytest.mark.parametrize("options", [[], ["-noattr"], ["-keyid"], ["-stream", "-indef"], ["-md", "sha1"]])
@pytest.mark.parametrize("attached", [True, False])
def test_what_openssl_signs_is_accepted(kind: str, options: list[str], attached: bool, tmp_path: Path) -> None:  # noqa: FBT001 -- a parameter of pytest
    signer = SIGNERS[kind]
    raw = recorded.openssl_sign(CONTENT, signer, [*options, *(["-nodetach"] if attached else [])], tmp_path)

    cms.parse_signed(raw).verify(None if attached else CONTENT)
    assert_mismatch(raw, b"other", match="other content|altered|does not match")
