"""Which CAs vouch that an Apple device signed a MachineInfo.

The device CA travels inside every message, so its fingerprint is all we keep.  Chaining to the Apple Root CA by
another way counts for nothing: the certificate of any developer does that.
"""

from collections.abc import Sequence

from cryptography import x509

from epmm.wire.errors import UntrustedCertificate, WireError
from epmm.wire.x509 import issued_by, load, sha256

PINNED = frozenset(
    {
        # Apple iPhone Device CA: RSA 1024, SHA-1, expired in 2014, and still what devices are issued from.
        bytes.fromhex("76f27d00e1333bc88de0e2916c38c9a7f2b75774c25a794c092a80e3c4c66cce"),
    }
)

# A message brings three certificates; more of them only cost us signature checks.
_MOST_CERTIFICATES = 8
_LONGEST_PATH = 4


def anchored(leaf: bytes, included: Sequence[bytes], extra_device_cas: Sequence[x509.Certificate]) -> bool:
    """Whether a certificate on a path from `leaf` was issued by a pinned or extra device CA.

    Dates are ignored: Apple's own CAs have expired.
    """
    certificates = _loaded(included)
    anchors = [certificate for der, certificate in certificates if sha256(der) in PINNED] + list(extra_device_cas)
    path_ends = [certificate for _der, certificate in _loaded([leaf])]
    for _ in range(_LONGEST_PATH):
        if any(_issued(end, anchor) for end in path_ends for anchor in anchors):
            return True
        path_ends = [issuer for _der, issuer in certificates if any(_issued(end, issuer) for end in path_ends)]
    return False


def _loaded(ders: Sequence[bytes]) -> list[tuple[bytes, x509.Certificate]]:
    loaded = []
    for der in ders[:_MOST_CERTIFICATES]:
        try:
            loaded.append((der, load(der)))
        except WireError:
            continue  # no certificate, no issuer
    return loaded


def _issued(leaf: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        issued_by(leaf, issuer)
    except UntrustedCertificate:
        return False
    return True
