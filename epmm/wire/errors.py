from collections.abc import Iterator
from contextlib import contextmanager


class WireError(Exception):
    """The peer sent something we cannot read.  The message never quotes the input."""


class SignatureMismatch(WireError):
    """The signature does not vouch for the content: altered, made with another key, or in a way we do not accept."""


class UntrustedCertificate(WireError):
    """The certificate was not issued by the authority it has to come from, or not for now."""


@contextmanager
def edge(kind: type[WireError], message: str) -> Iterator[None]:
    """The edge of a codec: parsers let half a dozen exceptions out, and from here on there is one, `kind`."""
    try:
        yield
    except kind:
        raise
    except Exception as error:
        raise kind(message) from error
