from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from enrollment.protocol.scep.authority import RegistrationAuthority
from tests import pki

USAGE = x509.KeyUsage(
    digital_signature=True,
    key_encipherment=True,
    content_commitment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


@cache
def _authority() -> pki.Identity:
    return pki.authority("EPMM test CA", key=pki.rsa_key(number=10))


@cache
def _registrar() -> pki.Identity:
    return pki.issue("EPMM test RA", issuer=_authority(), key=pki.rsa_key(number=11), extensions=[(USAGE, True)])


@pytest.fixture
def ca() -> pki.Identity:
    return _authority()


@pytest.fixture
def registrar() -> pki.Identity:
    """The RA as its clients know it."""
    return _registrar()


@pytest.fixture
def ra(registrar: pki.Identity) -> RegistrationAuthority:
    """The RA as the codec knows it."""
    assert isinstance(registrar.key, RSAPrivateKey)
    return RegistrationAuthority(certificate=registrar.certificate, key=registrar.key)


@pytest.fixture
def issued(ca: pki.Identity) -> x509.Certificate:
    """What the CA made of the request of `client.device()`."""
    return pki.issue("enrollment reference", issuer=ca, key=pki.rsa_key(number=20)).certificate
