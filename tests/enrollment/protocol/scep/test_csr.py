"""The request inside: what is believed of it, in every spelling."""

from collections.abc import Sequence

import pytest
from asn1crypto import core
from asn1crypto import csr as asn1_csr
from asn1crypto.keys import PublicKeyInfo
from asn1crypto.parser import emit
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from enrollment.protocol.scep.csr import read_csr
from enrollment.protocol.scep.errors import BadMessageCheck
from tests import pki
from tests.enrollment.protocol.scep import client

CHALLENGE = "challenge_password"


def compose(attributes: bytes | None, *, digest: str = "sha256") -> bytes:
    """A CSR around encoded attributes, in whatever order; None leaves the field out."""
    key = pki.rsa_key()
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    name = asn1_csr.Name.build({"common_name": "device"})
    parts = [asn1_csr.Version("v1").dump(), name.dump(), PublicKeyInfo.load(spki).dump()]
    if attributes is not None:
        parts.append(emit(2, 1, 0, attributes))
    info = emit(0, 1, 16, b"".join(parts))
    signature = core.BitString.load(b"\x03\x82\x01\x01\x00" + pki.raw_signature(key, info, digest))
    algorithm = asn1_csr.SignedDigestAlgorithm({"algorithm": f"{digest}_rsa"})
    whole: bytes = emit(0, 1, 16, info + algorithm.dump() + signature.dump())
    return whole


def attribute(*values: core.Asn1Value, kind: str = CHALLENGE) -> bytes:
    contents = b"".join(value.dump() for value in values)
    set_of = emit(0, 1, 17, contents)
    encoded: bytes = emit(0, 1, 16, asn1_csr.CSRAttributeType(kind).dump() + set_of)
    return encoded


@pytest.mark.parametrize("kind", [core.PrintableString, core.UTF8String, core.IA5String, core.BMPString])
def test_challenge_in_any_kind_of_string(kind: type[core.AbstractString]) -> None:
    assert read_csr(compose(attribute(kind("Aa0 one-time")))).challenge_password == "Aa0 one-time"


def test_attributes_out_of_order() -> None:
    """DER wants them sorted by encoding; an encoder that does not sort is understood all the same."""
    longer = attribute(core.OctetString(bytes(40)), kind="extended_certificate_attributes")
    challenge = attribute(core.UTF8String("one-time"))

    for attributes in (longer + challenge, challenge + longer):
        assert read_csr(compose(attributes)).challenge_password == "one-time"


@pytest.mark.parametrize("attributes", [None, b""])
def test_without_challenge(attributes: bytes | None) -> None:
    assert read_csr(compose(attributes)).challenge_password is None


@pytest.mark.parametrize("digest", ["sha1", "sha384", "sha512"])
def test_other_digests(digest: str) -> None:
    assert read_csr(compose(None, digest=digest)).public_key == pki.rsa_key().public_key()


def test_longest_challenge() -> None:
    assert read_csr(compose(attribute(core.UTF8String("x" * 255)))).challenge_password == "x" * 255


@pytest.mark.parametrize(
    "attributes",
    [
        [attribute(core.UTF8String("one")), attribute(core.UTF8String("two"))],
        [attribute(core.UTF8String("one"), core.UTF8String("two"))],
        [attribute()],
        [attribute(core.UTF8String("x" * 256))],
        [attribute(core.Integer(7))],
        [attribute(core.OctetString(b"one-time"))],
        [attribute(core.Asn1Value.load(b"\x0c\x02\xff\xfe"))],
        [b"\x02\x01\x00"],
    ],
    ids=["two", "two values", "no value", "too long", "number", "octets", "not UTF-8", "no attribute"],
)
def test_challenges_that_are_none(attributes: Sequence[bytes]) -> None:
    with pytest.raises(BadMessageCheck):
        read_csr(compose(b"".join(attributes)))


def test_md5() -> None:
    with pytest.raises(BadMessageCheck):
        read_csr(compose(None, digest="md5"))


def test_challenge_is_not_shown() -> None:
    assert "one-time" not in repr(read_csr(client.csr(pki.rsa_key())))


def test_same_key_same_hash() -> None:
    first, again = (read_csr(client.csr(pki.rsa_key(), challenge)) for challenge in ("one", "two"))
    other = read_csr(client.csr(pki.rsa_key(number=1)))

    assert first.spki_sha256 == again.spki_sha256 != other.spki_sha256
