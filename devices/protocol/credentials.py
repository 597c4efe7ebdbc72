"""How a client certificate travels in a header, and a bearer in `Authorization`."""

import binascii
import hashlib
from typing import Final
from urllib.parse import unquote_to_bytes

from epmm.wire import detached
from epmm.wire.cms import parse_signed
from epmm.wire.errors import WireError

_PEM_BEGIN: Final = b"-----BEGIN CERTIFICATE-----"
_PEM_END: Final = b"-----END CERTIFICATE-----"


def certificate_of_signature(value: bytes, body: bytes) -> bytes:
    """`Mdm-Signature`: the DER of the certificate whose key signed `body`, which must be as it came."""
    raw = _base64(value)
    signed = detached.read(raw) or parse_signed(raw)
    signed.verify(body)
    return signed.signer_certificate


def certificate_of_proxy(value: bytes) -> bytes:
    """RFC 9440, 2.1: a byte sequence between colons.  Else URL-escaped PEM, as nginx makes it."""
    if value.startswith(b":"):
        if len(value) == 1 or not value.endswith(b":"):
            raise WireError("not a byte sequence")
        return _base64(value[1:-1])
    pem = unquote_to_bytes(value).strip()
    if not (pem.startswith(_PEM_BEGIN) and pem.endswith(_PEM_END)):
        raise WireError("not a certificate")
    return _base64(pem[len(_PEM_BEGIN) : -len(_PEM_END)].translate(None, b" \t\r\n"))


def bearer_sha256(value: bytes) -> bytes | None:
    """RFC 6750, 2.1: the hash by which a token is known; None when the header holds no bearer."""
    scheme, _, token = value.partition(b" ")
    token = token.strip()
    return hashlib.sha256(token).digest() if token and scheme.lower() == b"bearer" else None


def _base64(value: bytes) -> bytes:
    """Of something: what is empty identifies nobody."""
    try:
        decoded = binascii.a2b_base64(value, strict_mode=True)
    except binascii.Error as error:
        raise WireError("not base64") from error
    if not decoded:
        raise WireError("empty")
    return decoded
