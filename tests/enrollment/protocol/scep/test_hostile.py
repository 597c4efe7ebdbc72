"""Whatever comes in ends as a reply or as one of our refusals; nothing else gets out."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enrollment.protocol.scep.authority import RegistrationAuthority
from enrollment.protocol.scep.csr import read_csr
from enrollment.protocol.scep.envelope import open_envelope
from enrollment.protocol.scep.errors import BadMessageCheck, ScepFailure
from enrollment.protocol.scep.reply import failure, success
from enrollment.protocol.scep.request import read_message, read_request
from epmm.wire.errors import WireError
from tests import pki
from tests.enrollment.protocol.scep import client

hostile = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)

Answer = Callable[[bytes], bytes]


@st.composite
def mutated(draw: st.DrawFn, original: bytes) -> bytes:
    """A few bytes replaced, removed or inserted: near enough to the real thing to get far."""
    raw = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw) - 1))
        raw[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(raw)


@pytest.fixture
def answer(ra: RegistrationAuthority, issued: x509.Certificate) -> Answer:
    """What a server does with a message; WireError is its HTTP 400."""

    def answer(raw: bytes) -> bytes:
        message = read_message(raw)
        try:
            return success(read_request(message, ra=ra, allow_legacy=True), issued, ra=ra)
        except ScepFailure as refusal:
            return failure(message.transaction, refusal.fail_info, ra=ra)

    return answer


@hostile
@given(data=st.data())
def test_mutated_message(data: st.DataObject, answer: Answer, registrar: pki.Identity) -> None:
    with suppress(WireError):
        assert answer(data.draw(mutated(client.request(registrar))))


@hostile
@given(data=st.data())
def test_mutated_envelope_in_a_correct_message(data: st.DataObject, answer: Answer, registrar: pki.Identity) -> None:
    device = client.device()
    envelope = data.draw(mutated(client.seal(client.csr(device.key), registrar)))

    assert answer(client.sign(envelope, device))


@hostile
@given(data=st.data())
def test_mutated_request_in_a_correct_envelope(data: st.DataObject, answer: Answer, registrar: pki.Identity) -> None:
    device = client.device()
    csr = data.draw(mutated(client.csr(device.key)))

    assert answer(client.sign(client.seal(csr, registrar), device))


@hostile
@given(raw=st.binary(max_size=200))
def test_any_bytes(raw: bytes, ra: RegistrationAuthority) -> None:
    with suppress(WireError):
        read_message(raw)
        pytest.fail("not a message")
    with pytest.raises(ScepFailure):
        open_envelope(raw, ra=ra, allow_legacy=True)
    with pytest.raises(BadMessageCheck):
        read_csr(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x30\x80" * 30_000,
        b"\xa0\x80" * 30_000 + b"\0\0" * 2000,
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x82\xff\xf0" + b"\x05\x00" * 32_000,
        b"\x30\x82\xff\xf0\x06\x82\xff\xec" + b"\xff" * 65_516,
        b"\x30\x82\xff\xf0\x02\x82\xff\xec" + b"\x7f" * 65_516,
    ],
    ids=["deep", "deep explicit", "endless", "many", "long identifier", "long number"],
)
def test_bombs(raw: bytes, answer: Answer, ra: RegistrationAuthority, registrar: pki.Identity) -> None:
    device = client.device()

    with pytest.raises(WireError):
        answer(raw)
    with pytest.raises(ScepFailure):
        open_envelope(raw, ra=ra, allow_legacy=True)
    with pytest.raises(BadMessageCheck):
        read_csr(raw)
    assert answer(client.sign(raw[:60_000], device))
    assert answer(client.sign(client.seal(raw[:60_000], registrar), device))
