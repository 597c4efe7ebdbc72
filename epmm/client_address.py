"""Where a request came from.  Forwarding headers count only when a trusted proxy set them."""

from functools import cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from django.conf import settings
from django.http import HttpRequest

UNKNOWN: Final = "unknown"  # whoever comes from nowhere
UNIX: Final = "unix"  # the address of whoever is behind a Unix socket: only those may be whom its mode lets in


@cache
def _networks(items: tuple[str, ...]) -> tuple[IPv4Network | IPv6Network, ...]:
    return tuple(ip_network(item, strict=False) for item in items if item != UNIX)


def is_trusted_proxy(address: str) -> bool:
    if address == UNIX:
        return UNIX in settings.TRUSTED_PROXIES
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        ip = ip.ipv4_mapped or ip  # as a socket for both families shows an IPv4 peer
    return any(ip in network for network in _networks(tuple(settings.TRUSTED_PROXIES)))


def client_address(request: HttpRequest) -> str | None:
    """The nearest address that is not a trusted proxy; None when there is none."""
    hops = [request.META.get("REMOTE_ADDR", "")]
    hops += reversed([hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")])
    for hop in hops:
        if not is_trusted_proxy(hop):
            try:
                return str(ip_address(hop))
            except ValueError:
                return None
    return None


def network(address: str | None) -> str:
    """What one caller holds for sure: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        ip = ip_address((address or "").partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(ip, IPv6Address):
        return str(ip.ipv4_mapped or ip_network((ip, 64), strict=False))
    return str(ip)
