"""The GET form of PKIOperation (RFC 8894 section 4.1)."""

from base64 import b64decode
from binascii import Error
from urllib.parse import unquote

from epmm.wire.errors import WireError

MAX_BYTES = 64 * 1024
# Four characters for three bytes, and each of them may come percent-escaped.
MAX_TEXT = MAX_BYTES * 4

URL_SAFE = str.maketrans("-_ ", "+/+", "\r\n")


def decode_message(query_message: str) -> bytes:
    """The request out of the parameter `message`, taken raw from the query or already decoded by a framework.

    macOS leaves `+` and `/` as they are but escapes `=`; a form decoder makes a space of such a `+`.
    """
    if len(query_message) > MAX_TEXT:
        raise WireError("message: too long")
    text = unquote(query_message).translate(URL_SAFE).rstrip("=")
    try:
        raw = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (Error, ValueError) as error:
        raise WireError("message: not base64") from error
    if not 0 < len(raw) <= MAX_BYTES:
        raise WireError("message: empty or too long")
    return raw
