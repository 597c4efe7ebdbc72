"""What a device asks, and why we say no."""

import hashlib
from collections.abc import Callable

import pytest
from asn1crypto import cms, core
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enrollment.protocol.scep import keys
from enrollment.protocol.scep.attributes import MessageType
from enrollment.protocol.scep.authority import RegistrationAuthority
from enrollment.protocol.scep.ciphers import ContentCipher
from enrollment.protocol.scep.errors import BadAlg, BadCertId, BadMessageCheck, BadRequest, ScepFailure
from enrollment.protocol.scep.request import ScepRequest, read_message, read_request
from epmm.wire.errors import WireError
from tests import pki
from tests.enrollment.protocol.scep import client


def read(raw: bytes, ra: RegistrationAuthority, *, allow_legacy: bool = False) -> ScepRequest:
    return read_request(read_message(raw), ra=ra, allow_legacy=allow_legacy)


def test_request_of_a_device(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    device = client.device()

    request = read(client.request(registrar, device), ra)

    assert request.message_type is MessageType.PKCS_REQ
    assert request.transaction.transaction_id == "7D3E0F"
    assert request.transaction.sender_nonce == client.NONCE
    assert request.csr.challenge_password == "one-time-challenge"
    assert request.csr.public_key == request.signer_key == device.key.public_key()
    assert request.csr.key_size == 2048
    spki = device.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert request.csr.spki_sha256 == hashlib.sha256(spki).digest()
    assert request.signer_certificate == device.der
    assert request.digest == "sha256"
    assert "one-time-challenge" not in repr(request)


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha384", "sha512"])
def test_announced_digests(ra: RegistrationAuthority, registrar: pki.Identity, digest: str) -> None:
    assert read(client.request(registrar, digest=digest), ra).digest == digest


@pytest.mark.parametrize("cipher", ["aes128_cbc", "aes192_cbc", "aes256_cbc", "tripledes_3key"])
def test_ciphers(ra: RegistrationAuthority, registrar: pki.Identity, cipher: str) -> None:
    assert read(client.request(registrar, cipher=cipher), ra).content_cipher == cipher


def test_des_needs_to_be_allowed(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    raw = client.request(registrar, cipher="des")

    with pytest.raises(BadAlg):
        read(raw, ra)
    assert read(raw, ra, allow_legacy=True).content_cipher is ContentCipher.DES


def test_key_transport_with_oaep(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    device = client.device()
    digest = {"algorithm": "sha256"}
    mask = {"algorithm": "mgf1", "parameters": digest}
    oaep = {"algorithm": "rsaes_oaep", "parameters": {"hash_algorithm": digest, "mask_gen_algorithm": mask}}
    envelope = client.seal(
        client.csr(device.key),
        registrar,
        transport=OAEP(mgf=MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None),
        key_encryption_algorithm=oaep,
    )

    assert read(client.sign(envelope, device), ra).csr.challenge_password == "one-time-challenge"


def test_recipient_named_by_key_identifier(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    identifier = x509.SubjectKeyIdentifier.from_public_key(registrar.key.public_key()).digest
    rid = cms.RecipientIdentifier("subject_key_identifier", core.OctetString(identifier))
    device = client.device()

    request = read(client.sign(client.seal(client.csr(device.key), registrar, rid=rid), device), ra)

    assert request.csr.challenge_password == "one-time-challenge"


def test_renewal_is_signed_with_the_old_key(
    ra: RegistrationAuthority, registrar: pki.Identity, ca: pki.Identity
) -> None:
    old = pki.issue("enrollment reference", issuer=ca, key=pki.rsa_key(number=21))
    new_key = pki.rsa_key(number=22)
    envelope = client.seal(client.csr(new_key, challenge=None), registrar)

    request = read(client.sign(envelope, old, scep=client.attributes("17")), ra)

    assert request.message_type is MessageType.RENEWAL_REQ
    assert request.csr.public_key == new_key.public_key()
    assert request.csr.challenge_password is None
    assert request.signer_certificate == old.der
    assert request.signer_key == old.key.public_key()


def test_text_attributes_of_another_string_type(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    device = client.device()
    scep = [*client.attributes()[1:], (client.MESSAGE_TYPE, core.UTF8String("19"))]

    request = read(client.sign(client.seal(client.csr(device.key), registrar), device, scep=scep), ra)

    assert request.message_type is MessageType.PKCS_REQ


@pytest.mark.parametrize("missing", [client.MESSAGE_TYPE, client.TRANSACTION_ID, client.SENDER_NONCE])
def test_attribute_missing(registrar: pki.Identity, missing: str) -> None:
    scep = [each for each in client.attributes() if each[0] != missing]

    with pytest.raises(WireError) as refusal:
        read_message(client.sign(b"", client.device(), scep=scep))
    assert not isinstance(refusal.value, ScepFailure)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (client.TRANSACTION_ID, core.PrintableString("")),
        (client.TRANSACTION_ID, core.PrintableString("x" * 129)),
        (client.TRANSACTION_ID, core.UTF8String("line\nbreak")),
        (client.TRANSACTION_ID, core.UTF8String("\N{CHERRIES}")),
        (client.TRANSACTION_ID, core.OctetString(b"7D3E0F")),
        (client.TRANSACTION_ID, core.Asn1Value.load(b"\x0c\x01\xff")),
        (client.MESSAGE_TYPE, core.Integer(19)),
        (client.SENDER_NONCE, core.OctetString(b"")),
        (client.SENDER_NONCE, core.OctetString(bytes(129))),
        (client.SENDER_NONCE, core.PrintableString("nonce")),
    ],
)
def test_attribute_of_the_wrong_kind(name: str, value: core.Asn1Value) -> None:
    scep = [*(each for each in client.attributes() if each[0] != name), (name, value)]

    with pytest.raises(WireError) as refusal:
        read_message(client.sign(b"", client.device(), scep=scep))
    assert not isinstance(refusal.value, ScepFailure)


def test_attribute_twice() -> None:
    scep = [*client.attributes(), (client.TRANSACTION_ID, core.PrintableString("another"))]

    with pytest.raises(WireError):
        read_message(client.sign(b"", client.device(), scep=scep))


def test_foreign_cms_is_no_scep_message(registrar: pki.Identity) -> None:
    device = client.device()
    for raw in (
        pki.sign(b"machine info", device),
        pki.sign(b"machine info", device, attributes=False),
        client.seal(b"only an envelope", registrar),
        pki.signed_data(None, [], [device]),
        b"",
        b"<plist/>",
    ):
        with pytest.raises(WireError) as refusal:
            read_message(raw)
        assert not isinstance(refusal.value, ScepFailure)


def test_message_larger_than_any_request(registrar: pki.Identity) -> None:
    device = client.device()

    with pytest.raises(WireError, match="too large"):
        read_message(client.sign(bytes(64 * 1024), device))


@pytest.mark.parametrize("message_type", ["3", "20", "21", "22", "0", "x"])
def test_messages_we_do_not_serve(ra: RegistrationAuthority, registrar: pki.Identity, message_type: str) -> None:
    envelope = client.seal(client.csr(client.device().key), registrar)

    with pytest.raises(BadRequest):
        read(client.sign(envelope, client.device(), scep=client.attributes(message_type)), ra)


def test_refusal_leaves_the_transaction_readable(ra: RegistrationAuthority) -> None:
    message = read_message(client.sign(b"no envelope at all", client.device()))

    with pytest.raises(BadRequest):
        read_request(message, ra=ra, allow_legacy=False)
    assert message.transaction.transaction_id == "7D3E0F"
    assert message.transaction.sender_nonce == client.NONCE


def test_content_that_is_signed_but_no_envelope(ra: RegistrationAuthority) -> None:
    device = client.device()

    with pytest.raises(BadRequest):
        read(client.sign(pki.sign(b"signed, not sealed", device), device), ra)


def test_tampered_content(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    device = client.device()
    honest, other = (client.seal(client.csr(device.key), registrar) for _ in range(2))
    raw = client.sign(honest, device)
    assert len(honest) == len(other)

    with pytest.raises(BadMessageCheck):
        read(raw.replace(honest, other), ra)


def test_transaction_id_is_signed_too(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    with pytest.raises(BadMessageCheck):
        read(client.request(registrar).replace(b"7D3E0F", b"7D3E0E"), ra)


def test_detached_message_has_nothing_to_read(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    device = client.device()
    both = [*pki.usual_attributes(b""), *client.attributes()]
    raw = pki.signed_data(None, [pki.signer_info(b"", device, attributes=both)], [device])

    with pytest.raises(BadMessageCheck):
        read(raw, ra)


def test_certificate_of_the_signer_is_missing(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    device = client.device()
    both = [*pki.usual_attributes(b""), *client.attributes()]
    raw = pki.signed_data(b"", [pki.signer_info(b"", device, attributes=both)], [client.device(pki.rsa_key(number=21))])

    with pytest.raises(BadMessageCheck):
        read(raw, ra)


def test_md5_is_not_announced(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    with pytest.raises(BadAlg):
        read(client.request(registrar, digest="md5"), ra)


def test_request_for_a_key_of_somebody_else(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    envelope = client.seal(client.csr(pki.rsa_key(number=21)), registrar)

    with pytest.raises(BadMessageCheck):
        read(client.sign(envelope, client.device(pki.rsa_key(number=20))), ra)


@pytest.mark.parametrize("make_key", [pki.ec_key, lambda: pki.rsa_key(1024)])
def test_keys_we_do_not_certify(
    ra: RegistrationAuthority, registrar: pki.Identity, make_key: Callable[[], pki.Key]
) -> None:
    signer = pki.issue("device", key=make_key(), ca=None)

    with pytest.raises(BadAlg):
        read(client.sign(client.seal(client.csr(signer.key), registrar), signer), ra)


def test_oversized_key_costs_nothing(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    """It is refused before anything is calculated with it: here nobody has the private key."""
    device = client.device()
    forged = (
        x509.CertificateBuilder()
        .subject_name(device.certificate.subject)
        .issuer_name(device.certificate.issuer)
        .public_key(public_key(16384))
        .serial_number(7)
        .not_valid_before(pki.LONG_AGO)
        .not_valid_after(pki.FAR_AWAY)
        .sign(device.key, hashes.SHA256())
    )
    signer = pki.Identity(forged, device.key)

    with pytest.raises(BadAlg):
        read(client.sign(client.seal(client.csr(device.key), registrar), signer), ra)


@pytest.mark.parametrize(("bits", "exponent"), [(2048, 65537), (4096, 65537), (2048, 2**32 - 1)])
def test_keys_at_the_limit(bits: int, exponent: int) -> None:
    key = public_key(bits, exponent)

    assert keys.accept(key) is key


@pytest.mark.parametrize(("bits", "exponent"), [(2047, 65537), (4097, 65537), (2048, 3), (2048, 2**32 + 1)])
def test_keys_beyond_the_limit(bits: int, exponent: int) -> None:
    with pytest.raises(BadAlg):
        keys.accept(public_key(bits, exponent))


def public_key(bits: int, exponent: int = 65537) -> RSAPublicKey:
    return RSAPublicNumbers(exponent, (1 << bits - 1) + 1).public_key()


def test_envelope_for_another_certificate(ra: RegistrationAuthority, ca: pki.Identity) -> None:
    with pytest.raises(BadCertId):
        read(client.request(ca), ra)
