"""Which chains say that an Apple device signed."""

from collections.abc import Sequence

import pytest

from enrollment.protocol import device_trust
from enrollment.protocol.device_trust import anchored
from epmm.wire import cms
from tests import pki, recorded

CHAIN = pki.device_chain()
EXTRA = [CHAIN.device_ca.certificate]
MIDDLE = pki.authority("Middle", issuer=CHAIN.device_ca, key=pki.ec_key(1))


def ders(*identities: pki.Identity) -> list[bytes]:
    return [identity.der for identity in identities]


def test_pinned_device_ca_travels_in_the_message() -> None:
    leaf, *included = cms.parse_signed(recorded.ENROLLMENT_REQUEST).certificates

    assert anchored(leaf, included, [])
    assert anchored(leaf, [leaf, *reversed(included)], [])


def test_without_the_device_ca_the_leaf_says_nothing() -> None:
    leaf, _device_ca, intermediate = cms.parse_signed(recorded.ENROLLMENT_REQUEST).certificates

    assert not anchored(leaf, [leaf, intermediate], [])


def test_other_way_to_the_root_is_not_accepted() -> None:
    """The device CA itself was issued by an Apple CA, as a developer's certificate is; that does not count."""
    _leaf, device_ca, intermediate = cms.parse_signed(recorded.ENROLLMENT_REQUEST).certificates

    assert not anchored(device_ca, [device_ca, intermediate], [])
    assert not anchored(CHAIN.device_ca.der, ders(CHAIN.intermediate, CHAIN.root), EXTRA)


def test_pinned_certificate_beside_a_foreign_leaf_is_not_enough() -> None:
    _leaf, *included = cms.parse_signed(recorded.ENROLLMENT_REQUEST).certificates
    namesake = pki.issue("Apple iPhone Device CA", ca=True)

    assert not anchored(pki.issue("device", issuer=namesake).der, [*included, namesake.der], [])


def test_extra_device_ca_may_have_expired_and_use_sha1() -> None:
    assert anchored(CHAIN.leaf.der, [], EXTRA)
    assert anchored(CHAIN.leaf.der, ders(*CHAIN.included), EXTRA)


def test_extra_device_ca_is_not_taken_from_the_message() -> None:
    assert not anchored(CHAIN.leaf.der, ders(*CHAIN.included), [])


def test_extra_device_ca_must_be_the_issuer_by_key() -> None:
    namesake = pki.issue("Test iPhone Device CA", ca=True, key=pki.ec_key(2))

    assert not anchored(CHAIN.leaf.der, [], [namesake.certificate])


def test_extra_device_ca_must_be_a_ca() -> None:
    not_ca = pki.issue("Lab", key=pki.ec_key(2))

    assert not anchored(pki.issue("device", issuer=not_ca).der, [], [not_ca.certificate])


def test_intermediates_lead_to_the_device_ca() -> None:
    leaf = pki.issue("device", issuer=MIDDLE)

    assert anchored(leaf.der, ders(MIDDLE), EXTRA)
    assert not anchored(leaf.der, [], EXTRA)


def test_intermediate_must_be_a_ca() -> None:
    """A device cannot vouch for another one."""
    leaf = pki.issue("device", issuer=CHAIN.leaf)

    assert not anchored(leaf.der, ders(CHAIN.leaf), EXTRA)


@pytest.mark.parametrize("rubbish", [[b""], [b"\x30\x00", b"x"]])
def test_what_is_no_certificate_is_passed_over(rubbish: Sequence[bytes]) -> None:
    assert anchored(CHAIN.leaf.der, rubbish, EXTRA)
    assert not anchored(rubbish[0], ders(*CHAIN.included), EXTRA)


def test_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred certificates that all name each other as issuer."""
    crowd = [pki.issue("Crowd", ca=True, key=pki.ec_key(number)).der for number in range(100)]
    links = 0

    def counted(*_certificates: object) -> None:
        nonlocal links
        links += 1

    monkeypatch.setattr(device_trust, "issued_by", counted)
    anchored(crowd[0], crowd, [])

    assert 0 < links < 300


def test_loops_end() -> None:
    one = pki.authority("One", key=pki.ec_key(1))
    again = pki.authority("One", issuer=one, key=pki.ec_key(1))

    assert not anchored(pki.issue("device", issuer=one).der, ders(one, again), EXTRA)
