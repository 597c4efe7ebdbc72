"""Opening what only the RA can open, and telling nobody how it failed."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from asn1crypto import cms, core

from enrollment.protocol.scep.authority import RegistrationAuthority
from enrollment.protocol.scep.csr import CertificateRequest, read_csr
from enrollment.protocol.scep.envelope import open_envelope
from enrollment.protocol.scep.errors import BadAlg, BadMessageCheck, BadRequest, FailInfo
from tests import pki
from tests.enrollment.protocol.scep import client

UNKNOWN = "1.3.6.1.4.1.99999.1"


def read(envelope: bytes, ra: RegistrationAuthority) -> CertificateRequest:
    return read_csr(open_envelope(envelope, ra=ra, allow_legacy=False).plaintext)


def indefinite(tag: int, *parts: bytes) -> bytes:
    return bytes([tag, 0x80, *b"".join(parts), 0, 0])


def test_streamed_content(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    """A client that does not know the length beforehand sends BER: indefinite lengths, the content in pieces."""
    sealed = cms.ContentInfo.load(client.seal(b"x" * 100, registrar))["content"]
    content = sealed["encrypted_content_info"]
    ciphertext = content["encrypted_content"].native
    pieces = [core.OctetString(ciphertext[at : at + 40]).dump() for at in range(0, len(ciphertext), 40)]
    encrypted = indefinite(
        0x30,
        content["content_type"].dump(),
        content["content_encryption_algorithm"].dump(),
        indefinite(0xA0, *pieces),
    )
    enveloped = indefinite(0x30, sealed["version"].dump(), sealed["recipient_infos"].dump(), encrypted)
    streamed = indefinite(0x30, cms.ContentType("enveloped_data").dump(), indefinite(0xA0, enveloped))

    assert open_envelope(streamed, ra=ra, allow_legacy=False).plaintext == b"x" * 100


@pytest.mark.parametrize(
    "algorithm",
    [
        {"algorithm": "aes128_ecb", "parameters": core.OctetString(bytes(16))},
        {"algorithm": "rc2", "parameters": {"iv": bytes(8)}},
        {"algorithm": UNKNOWN, "parameters": core.Null()},
        {"algorithm": "aes256_cbc", "parameters": bytes(8)},
        {"algorithm": "aes256_cbc"},
        {"algorithm": "tripledes_3key", "parameters": bytes(16)},
    ],
)
def test_ciphers_we_do_not_speak(ra: RegistrationAuthority, registrar: pki.Identity, algorithm: dict[str, Any]) -> None:
    envelope = client.seal(b"", registrar, content_encryption_algorithm=algorithm)

    with pytest.raises(BadAlg):
        open_envelope(envelope, ra=ra, allow_legacy=True)


@pytest.mark.parametrize(
    "algorithm",
    [
        {"algorithm": "aes128_wrap"},
        {"algorithm": UNKNOWN},
        {"algorithm": "rsaes_oaep", "parameters": {"hash_algorithm": {"algorithm": "md5"}}},
    ],
)
def test_key_transports_we_do_not_speak(
    ra: RegistrationAuthority, registrar: pki.Identity, algorithm: dict[str, Any]
) -> None:
    envelope = client.seal(b"", registrar, key_encryption_algorithm=algorithm)

    with pytest.raises(BadAlg):
        open_envelope(envelope, ra=ra, allow_legacy=False)


def test_own_recipient_among_others(ra: RegistrationAuthority, registrar: pki.Identity, ca: pki.Identity) -> None:
    key = secrets.token_bytes(32)
    for_us, for_them = (cms.ContentInfo.load(client.seal(b"x", each, key=key)) for each in (registrar, ca))
    theirs = for_them["content"]["recipient_infos"][0]
    password = cms.RecipientInfo(
        "pwri", {"version": "v0", "key_encryption_algorithm": {"algorithm": "aes128_wrap"}, "encrypted_key": b"x"}
    )
    for_us["content"]["recipient_infos"] = [password, theirs, for_us["content"]["recipient_infos"][0]]

    assert open_envelope(for_us.dump(force=True), ra=ra, allow_legacy=False).plaintext == b"x"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x30",
        b"\x30\x80" * 100,
        cms.ContentInfo({"content_type": "data", "content": b"x"}).dump(),
        b"\x30\x0f" + cms.ContentType("enveloped_data").dump() + b"\xa0\x02\x05\x00",
        b"\x30\x00",
    ],
)
def test_no_envelope(ra: RegistrationAuthority, raw: bytes) -> None:
    with pytest.raises(BadRequest):
        open_envelope(raw, ra=ra, allow_legacy=False)


def test_envelope_with_something_behind_it(ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    with pytest.raises(BadRequest):
        open_envelope(client.seal(b"x", registrar) + b"\0", ra=ra, allow_legacy=False)


def _wrap(registrar: pki.Identity, key: bytes) -> bytes:
    """The encrypted key of another envelope with this content key."""
    sealed = cms.ContentInfo.load(client.seal(b"", registrar, cipher="aes256_cbc", key=key.ljust(32, b"\0")))
    wrapped: bytes = sealed["content"]["recipient_infos"][0].chosen["encrypted_key"].native
    return wrapped


def _short_key(registrar: pki.Identity) -> bytes:
    """AES-128 is announced nowhere, but that is the length of key inside."""
    sealed = cms.ContentInfo.load(client.seal(b"", registrar, cipher="aes128_cbc"))
    return client.seal(
        client.csr(pki.rsa_key()),
        registrar,
        encrypted_key=sealed["content"]["recipient_infos"][0].chosen["encrypted_key"].native,
    )


def _mismatched_signature() -> bytes:
    der = bytearray(client.csr(pki.rsa_key()))
    der[-1] ^= 1
    return bytes(der)


# Each is a way to end differently inside; an attacker must not learn which one it was.
FAILURES: dict[str, Callable[[pki.Identity], bytes]] = {
    "RSA padding is wrong": lambda ra: client.seal(b"x", ra, encrypted_key=bytes(255) + b"\x02"),
    "RSA text is larger than the modulus": lambda ra: client.seal(b"x", ra, encrypted_key=b"\xff" * 256),
    "RSA text has another length": lambda ra: client.seal(b"x", ra, encrypted_key=b"\x01" * 128),
    "RSA text is empty": lambda ra: client.seal(b"x", ra, encrypted_key=b""),
    "content key is of another envelope": lambda ra: client.seal(b"x", ra, encrypted_key=_wrap(ra, b"other")),
    "content key has another length": _short_key,
    "content is no whole number of blocks": lambda ra: client.seal(b"x", ra, encrypted_content=bytes(15)),
    "content is empty": lambda ra: client.seal(b"x", ra, encrypted_content=b""),
    "padding of the content is wrong": lambda ra: client.seal(b"x", ra, encrypted_content=bytes(32)),
    "content is nothing": lambda ra: client.seal(b"", ra),
    "content is no ASN.1": lambda ra: client.seal(b"not a certificate request", ra),
    "content is nested too deeply": lambda ra: client.seal(b"\x30\x80" * 100, ra),
    "content is another structure": lambda ra: client.seal(ra.der, ra),
    "request has something behind it": lambda ra: client.seal(client.csr(pki.rsa_key()) + b"\0", ra),
    "request is cut off": lambda ra: client.seal(client.csr(pki.rsa_key())[:-1], ra),
    "request is not signed with its key": lambda ra: client.seal(_mismatched_signature(), ra),
    "request is for an elliptic curve": lambda ra: client.seal(client.csr(pki.ec_key()), ra),
    "request is for a small key": lambda ra: client.seal(client.csr(pki.rsa_key(1024)), ra),
}


@pytest.mark.parametrize("failure", FAILURES)
def test_all_failures_look_alike(ra: RegistrationAuthority, registrar: pki.Identity, failure: str) -> None:
    with pytest.raises(BadMessageCheck) as refusal:
        read(FAILURES[failure](registrar), ra)
    assert refusal.value.fail_info == FailInfo.BAD_MESSAGE_CHECK
