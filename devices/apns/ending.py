"""Why a connection ended, and whether another one could do better."""

import socket
import ssl
from dataclasses import dataclass
from typing import Final

from devices.protocol.push import Verdict

# How TLS tells that the other side does not take our certificate (RFC 8446, 6.2), in OpenSSL's names.
_ABOUT_OUR_CERTIFICATE: Final = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED")


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    reason: str
    kind: Verdict = Verdict.TRY_LATER
    orderly: bool = False  # the server said so beforehand: nothing speaks against coming back at once


CLOSED: Final = End(reason="connection closed")
SHUT_DOWN: Final = End(reason="shut down", orderly=True)
TIMEOUT: Final = End(reason="timeout")
BROKEN: Final = End(reason="not HTTP/2")
NOT_READING: Final = End(reason="server does not read")
REPLACED: Final = End(reason="connection used up", orderly=True)
RESET: Final = End(reason="stream reset")


def read_failure(error: BaseException | None) -> End:
    match error:
        case None:
            return CLOSED
        case ssl.SSLCertVerificationError():
            return End(reason="server certificate not trusted")
        case ssl.SSLError(reason=str(reason)) if "ALERT" in reason and _speaks_of_our_certificate(reason):
            return End(kind=Verdict.BAD_CERTIFICATE, reason=reason)
        case TimeoutError():
            return TIMEOUT
        case socket.gaierror():
            return End(reason="name not found")
    return End(reason=type(error).__name__)


def _speaks_of_our_certificate(reason: str) -> bool:
    return any(word in reason for word in _ABOUT_OUR_CERTIFICATE)
