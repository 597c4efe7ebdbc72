import base64
import hashlib
from urllib.parse import quote

import pytest

from devices.protocol.credentials import bearer_sha256, certificate_of_proxy, certificate_of_signature
from epmm.wire.errors import WireError
from tests import pki
from tests.recorded import MDM_BODY_2, MDM_SIGNATURE_2

IDENTITY = pki.issue("device")
BASE64 = base64.b64encode(IDENTITY.der)


def test_a_real_device_signed_this() -> None:
    certificate = certificate_of_signature(base64.b64encode(MDM_SIGNATURE_2), MDM_BODY_2)

    assert certificate.startswith(b"\x30\x82")
    with pytest.raises(WireError):
        certificate_of_signature(base64.b64encode(MDM_SIGNATURE_2), MDM_BODY_2 + b"\n")


def test_a_key_that_takes_long_to_check_signs_nothing() -> None:
    stranger = pki.issue("stranger", key=pki.with_exponent(pki.rsa_key(), 2**1279 - 1))

    with pytest.raises(WireError):
        certificate_of_signature(base64.b64encode(pki.sign(b"body", stranger, detached=True)), b"body")


@pytest.mark.parametrize(
    "value", [b":" + BASE64 + b":", quote(IDENTITY.pem).encode(), quote(IDENTITY.pem, safe="").encode()]
)
def test_a_proxy_passes_a_certificate_on(value: bytes) -> None:
    assert certificate_of_proxy(value) == IDENTITY.der


def test_the_older_form_of_nginx_is_read_too() -> None:
    """`$ssl_client_cert` puts a tab in front of each line."""
    assert certificate_of_proxy(IDENTITY.pem.strip().replace(b"\n", b"\n\t")) == IDENTITY.der


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b":",
        b"::",
        b":" + BASE64,
        b":" + BASE64[:-5] + b":",
        b": " + BASE64 + b":",
        BASE64,
        b"%",
        b"CN=device",
        quote(IDENTITY.pem * 2).encode(),
        b"-----BEGIN CERTIFICATE----------END CERTIFICATE-----",
    ],
)
def test_what_is_no_certificate_is_refused(value: bytes) -> None:
    with pytest.raises(WireError):
        certificate_of_proxy(value)


def test_a_bearer_is_known_by_its_hash() -> None:
    assert bearer_sha256(b"Bearer token") == bearer_sha256(b"bearer  token ") == hashlib.sha256(b"token").digest()


@pytest.mark.parametrize("value", [b"", b"Bearer", b"Bearer ", b"Basic token", b"token"])
def test_no_bearer_is_none(value: bytes) -> None:
    assert bearer_sha256(value) is None
