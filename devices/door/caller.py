"""Who is calling: the certificate behind a request, by `Mdm-Signature` or by a trusted proxy's header.

A signature vouches for this very body from end to end, so it is what counts where a request has both; one that does
not match is refused, never passed over.  What the certificate may do is not decided here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, Self

from django.conf import settings
from django.utils import timezone

from devices.errors import DeviceRefused
from devices.protocol.credentials import bearer_sha256, certificate_of_proxy, certificate_of_signature
from epmm.client_address import is_trusted_proxy
from epmm.wire.errors import WireError

SIGNATURE: Final = b"mdm-signature"
PROXY_HEADERS: Final = (b"client-cert", b"x-ssl-client-cert")
BEARER: Final = b"authorization"
FORWARDED: Final = b"x-forwarded-for"
_ONCE: Final = frozenset((SIGNATURE, *PROXY_HEADERS, BEARER))


@dataclass(slots=True, kw_only=True)
class Caller:
    """The credentials as they came, none of them checked yet."""

    signature: bytes | None = field(repr=False)
    forwarded_certificate: bytes | None = field(repr=False)
    bearer_sha256: bytes | None = field(repr=False)
    address: str | None
    came_at: datetime = field(default_factory=timezone.now)
    _certificate: bytes | None = field(default=None, repr=False)

    @classmethod
    def read(cls, headers: Iterable[tuple[bytes, bytes]], peer: str | None) -> Self:
        """Raises DeviceRefused when there is nothing that could identify a device."""
        found: dict[bytes, bytes] = {}
        for name, value in headers:
            if name in _ONCE and name in found:
                raise WireError("a header came twice")
            found[name] = value
        return cls.of(found, peer)

    @classmethod
    def of(cls, headers: Mapping[bytes, bytes], peer: str | None) -> Self:
        """As `read`, where nothing came twice."""
        is_proxy = peer is not None and _is_trusted(peer, tuple(settings.TRUSTED_PROXIES))
        caller = cls(
            signature=headers.get(SIGNATURE) or None,
            forwarded_certificate=_forwarded(headers) if is_proxy else None,
            bearer_sha256=bearer_sha256(headers[BEARER]) if BEARER in headers else None,
            address=_nearest(peer, headers[FORWARDED]) if is_proxy and FORWARDED in headers else peer,
        )
        if caller.signature is None and caller.forwarded_certificate is None:
            raise DeviceRefused("no client certificate")
        return caller

    def certificate(self, body: bytes) -> bytes:
        """DER.  One caller has one body, so its signature is checked once."""
        if self._certificate is None:
            self._certificate = (
                certificate_of_proxy(self.forwarded_certificate or b"")
                if self.signature is None
                else certificate_of_signature(self.signature, body)
            )
        return self._certificate


@lru_cache(maxsize=1024)
def _is_trusted(peer: str, _proxies: tuple[str, ...]) -> bool:
    return is_trusted_proxy(peer)


def _forwarded(headers: Mapping[bytes, bytes]) -> bytes | None:
    first, second = map(headers.get, PROXY_HEADERS)
    if first and second and first != second:  # the proxy sets one of them and lets the caller's other one through
        raise DeviceRefused("two client certificates")
    return first or second or None


def _nearest(peer: str | None, forwarded: bytes) -> str | None:
    """The nearest address that is not a trusted proxy, as the front door has it."""
    for hop in reversed(forwarded.decode("latin-1").split(",")):
        try:
            address = str(ip_address(hop.strip()))
        except ValueError:
            return peer
        if not is_trusted_proxy(address):
            return address
    return peer
