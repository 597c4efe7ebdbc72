"""Which public keys we certify: RSA, because Apple's SCEP client knows nothing else."""

from cryptography.hazmat.primitives.asymmetric import rsa

from enrollment.protocol.scep.errors import BadAlg
from epmm.wire.x509 import LARGEST_EXPONENT

BITS = range(2048, 4096 + 1)
# The floor keeps out keys anyone can sign with (e = 1), the ceiling keys that make us calculate for long.
EXPONENTS = range(65537, LARGEST_EXPONENT)


def accept(key: object) -> rsa.RSAPublicKey:
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadAlg("key is not an RSA key")
    if key.key_size not in BITS or key.public_numbers().e not in EXPONENTS:
        raise BadAlg("RSA keys are accepted from 2048 to 4096 bits")
    return key
