"""Messages that are wrong in one way, and envelopes that are not for us."""

from collections.abc import Sequence
from typing import Any

import pytest
from asn1crypto import cms as asn1
from asn1crypto import core
from cryptography.hazmat.primitives.asymmetric import ec

from enrollment.simulator import cms, envelope
from enrollment.simulator.identity import Authority, Identity, name_of, new_rsa_key, self_signed
from tests import pki

CONTENT = b"content"
SIGNER = pki.issue("signer")
OTHER = pki.issue("other")
USUAL = pki.usual_attributes(CONTENT)


def signed(*infos: asn1.SignerInfo, certificates: Sequence[pki.Identity] = (SIGNER,)) -> bytes:
    return pki.signed_data(CONTENT, infos, certificates)


def test_message_of_another_implementation_is_read() -> None:
    message = cms.verify(pki.sign(CONTENT, SIGNER, chain=[OTHER]))

    assert (message.content, message.signer) == (CONTENT, SIGNER.certificate)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (signed(), "exactly one signer"),
        (signed(pki.signer_info(CONTENT, SIGNER), pki.signer_info(CONTENT, SIGNER)), "exactly one signer"),
        (signed(pki.signer_info(CONTENT, SIGNER), certificates=[OTHER]), "certificate is missing"),
        (signed(pki.signer_info(CONTENT, SIGNER, by_key_identifier=True)), "otherwise than by issuer"),
        (pki.sign(CONTENT, pki.issue("elder", key=pki.rsa_key()), digest="md5"), "md5 is not accepted"),
        (signed(pki.signer_info(CONTENT, SIGNER, attributes=USUAL[1:])), "without a content type"),
        (signed(pki.signer_info(CONTENT, SIGNER, attributes=USUAL[:1])), "not what was signed"),
        (signed(pki.signer_info(b"other content", SIGNER)), "not what was signed"),
        (signed(pki.signer_info(b"other content", SIGNER, attributes=False)), "signature does not fit"),
    ],
)
def test_signature_that_proves_nothing_is_refused(raw: bytes, reason: str) -> None:
    with pytest.raises(cms.CmsError, match=reason):
        cms.verify(raw)


def test_expected_signer_must_have_signed() -> None:
    with pytest.raises(cms.CmsError, match="another certificate"):
        cms.verify(pki.sign(CONTENT, SIGNER), signer=OTHER.certificate)


def test_attribute_has_one_value() -> None:
    info = pki.signer_info(CONTENT, SIGNER)
    info["signed_attrs"] = asn1.CMSAttributes([{"type": "content_type", "values": ["data", "signed_data"]}])

    with pytest.raises(cms.CmsError, match="more or less than one value"):
        cms.verify(signed(info))


# --- Envelopes --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recipient() -> Identity:
    return self_signed(name_of("recipient"), pki.rsa_key())


@pytest.mark.parametrize("cipher", ["aes128_cbc", "aes256_cbc", "tripledes_3key", "des"])
def test_recipient_opens_the_envelope(recipient: Identity, cipher: envelope.CipherName) -> None:
    sealed = envelope.seal(CONTENT, recipient.certificate, cipher=cipher)

    assert envelope.unseal(sealed, recipient) == (CONTENT, cipher)
    assert CONTENT not in sealed


def changed(sealed: bytes, **fields: Any) -> bytes:
    """The same envelope with other values in its only recipient or in its encrypted content."""
    info = asn1.ContentInfo.load(sealed)
    for name, value in fields.items():
        place = info["content"]
        place = place["recipient_infos"][0].chosen if name == "encrypted_key" else place["encrypted_content_info"]
        place[name] = value
    dumped: bytes = info.dump(force=True)
    return dumped


def test_envelope_with_another_key_or_content_stays_closed(recipient: Identity) -> None:
    sealed = envelope.seal(CONTENT, recipient.certificate)

    for damaged in (
        changed(sealed, encrypted_content=core.OctetString(b"not a block").retag({"implicit": 0})),
        changed(sealed, encrypted_key=bytes(256)),
        sealed[:-1],
        b"",
    ):
        with pytest.raises(cms.CmsError):
            envelope.unseal(damaged, recipient)


def test_cipher_must_fit_its_key(recipient: Identity) -> None:
    sealed = envelope.seal(CONTENT, recipient.certificate, cipher="aes128_cbc")
    lying = changed(
        sealed,
        content_encryption_algorithm={"algorithm": "aes256_cbc", "parameters": core.OctetString(bytes(16))},
    )

    with pytest.raises(cms.CmsError, match="aes256_cbc with a key of 16 bytes"):
        envelope.unseal(lying, recipient)


def test_envelope_has_one_recipient(recipient: Identity) -> None:
    info = asn1.ContentInfo.load(envelope.seal(CONTENT, recipient.certificate))
    only = info["content"]["recipient_infos"][0]
    info["content"]["recipient_infos"] = asn1.RecipientInfos([only, only])

    with pytest.raises(cms.CmsError, match="exactly one recipient"):
        envelope.unseal(info.dump(force=True), recipient)


def test_only_rsa_keys_seal_and_open(recipient: Identity) -> None:
    elliptic = Authority.new(name_of("CA")).issue(name_of("x"), ec.generate_private_key(ec.SECP256R1()))
    same_names = Identity(key=elliptic.key, certificate=recipient.certificate)

    with pytest.raises(cms.CmsError, match="no RSA key"):
        envelope.seal(CONTENT, elliptic.certificate)
    with pytest.raises(cms.CmsError, match="only an RSA key"):
        envelope.unseal(envelope.seal(CONTENT, recipient.certificate), same_names)


def test_envelope_for_another_is_not_tried(recipient: Identity) -> None:
    other = self_signed(name_of("recipient"), new_rsa_key())

    with pytest.raises(cms.CmsError, match="addressed to another"):
        envelope.unseal(envelope.seal(CONTENT, other.certificate), recipient)
