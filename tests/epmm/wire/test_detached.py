"""The fast reader of `Mdm-Signature` against the thorough one: wherever it answers, the two agree."""

import pytest
from hypothesis import given, settings

from epmm.wire import detached
from epmm.wire.cms import SignedMessage, parse_signed
from epmm.wire.errors import SignatureMismatch, WireError
from tests import pki, recorded
from tests.mutations import mutated

BODY = b"<plist><dict/></plist>"
SIGNERS = [pki.issue("RSA"), pki.issue("P-256", key=pki.ec_key())]
SIGNED = [pki.sign(BODY, signer, detached=True) for signer in SIGNERS]


@pytest.mark.parametrize("raw", SIGNED)
def test_what_devices_send_is_read_as_the_thorough_reader_does(raw: bytes) -> None:
    message = detached.read(raw)

    assert message is not None
    assert message == parse_signed(raw)
    message.verify(BODY)


@pytest.mark.parametrize("raw", [recorded.MDM_SIGNATURE_1, recorded.MDM_SIGNATURE_2])
def test_what_real_devices_sent_means_the_same(raw: bytes) -> None:
    assert detached.read(raw) == parse_signed(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x30",
        b"\x30\x80\0\0",
        pki.sign(BODY, SIGNERS[0]),  # with its content
        SIGNED[0] + b"\0",
        SIGNED[0][:-1],
        SIGNERS[0].der,
        bytes(100_000),
    ],
)
def test_anything_else_is_left_to_the_thorough_reader(raw: bytes) -> None:
    assert detached.read(raw) is None


def signed_by(message: SignedMessage | None) -> bytes | None:
    """Whose key signed the body; None where that cannot be said."""
    try:
        if message is None:
            return None
        message.verify(BODY)
    except SignatureMismatch:
        return None
    return message.signer_certificate


def thorough(raw: bytes) -> bytes | None:
    try:
        return signed_by(parse_signed(raw))
    except WireError:
        return None


@settings(deadline=None)
@given(mutated(*SIGNED, recorded.MDM_SIGNATURE_1, recorded.MDM_SIGNATURE_2))
def test_wherever_it_answers_the_two_name_the_same(raw: bytes) -> None:
    message = detached.read(raw)

    if message is not None:
        assert signed_by(message) == thorough(raw)


@pytest.mark.parametrize("raw", SIGNED)
def test_every_single_changed_byte_means_the_same_to_both(raw: bytes) -> None:
    answered = 0
    for position in range(len(raw)):
        changed = raw[:position] + bytes((raw[position] ^ 1,)) + raw[position + 1 :]
        message = detached.read(changed)
        if message is not None:
            answered += 1
            assert signed_by(message) == thorough(changed), position
    assert answered > len(raw) / 2
