"""Requests to servers that an administrator has named, without becoming a way to look into the networks around here.

HTTPS only; the name is resolved once, each of its addresses has to be public or in EPMM_OUTBOUND_NETWORKS, and the
connection goes to that address: what the name means a moment later does not matter (DNS rebinding).  No redirect is
followed.  Time, size and number are bounded, and a server that sends a byte now and then holds no thread of ours.
Who asks for it may also go by plain HTTP, into those networks alone.
"""

import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2
from django.conf import settings
from django.utils.translation import gettext as _

SECONDS: Final = 10.0
EACH_SECONDS: Final = 5.0  # to connect, and for each piece of an answer
LARGEST: Final = 262_144  # bytes of an answer
AT_ONCE: Final = 8
PORTS: Final = {"https": 443, "http": 80}
TRANSLATED: Final = ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the guise of a public one
Address = IPv4Address | IPv6Address

_at_once = threading.BoundedSemaphore(AT_ONCE)


class Unreachable(Exception):
    """No answer came; `str(error)` is a sentence for the administrator who named the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    media_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """What is other than usual."""

    places: threading.Semaphore = _at_once
    takes_http: bool = False
    read_at_most: int | None = None  # what follows in an answer is left unread, and none is too large


USUAL: Final = Manners()


def send(
    method: str,
    address: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes = b"",
    seconds: float = SECONDS,
    manners: Manners = USUAL,
) -> Reply:
    """Raises Unreachable."""
    if not manners.places.acquire(timeout=1):
        raise Unreachable(_("Too many requests to other servers are under way. Try again in a moment."))
    answers: list[Reply | Exception] = []
    deadline = time.monotonic() + seconds

    def ask() -> None:
        try:
            request = httpx2.Request(method, address, headers=dict(headers or {}), content=content)
            answers.append(_exchange(request, deadline, manners))
        except Exception as error:  # noqa: BLE001 - told below, in the thread that asked
            answers.append(error)
        finally:
            manners.places.release()

    thread = threading.Thread(target=ask, name="outbound", daemon=True)
    thread.start()
    thread.join(seconds)
    match answers[0] if answers else TimeoutError():
        case Reply() as reply:
            return reply
        case Unreachable() as error:
            raise error
        case error:
            raise Unreachable(_sentence(address, error)) from error


def _sentence(address: str, error: Exception) -> str:
    host = urlsplit(address).hostname or "?"
    if isinstance(error, TimeoutError | httpx2.TimeoutException):
        return _("%(host)s took too long to answer.") % {"host": host}
    if isinstance(error, httpx2.ConnectError) and "CERTIFICATE" in str(error).upper():
        return _("The certificate of %(host)s is not one that this server trusts.") % {"host": host}
    return _("%(host)s does not answer.") % {"host": host}


def _exchange(request: httpx2.Request, deadline: float, manners: Manners) -> Reply:
    url = request.url
    if url.scheme not in (PORTS if manners.takes_http else ("https",)) or not url.host or url.userinfo:
        raise Unreachable(_("Only addresses that begin with https:// are called."))
    pinned = httpx2.Request(
        request.method,
        url.copy_with(host=permitted_address(url.host, url.port or PORTS[url.scheme], in_clear=url.scheme == "http")),
        headers=request.headers,
        stream=request.stream,
        extensions={"sni_hostname": url.host, "timeout": _timeouts(deadline)},
    )
    with transport() as line:
        response = line.handle_request(pinned)
        media_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        body = _body(response, deadline, manners.read_at_most)
        return Reply(status=response.status_code, media_type=media_type, body=body)


def _timeouts(deadline: float) -> dict[str, float]:
    left = max(0.1, deadline - time.monotonic())
    return dict.fromkeys(("connect", "read", "write", "pool"), min(EACH_SECONDS, left))


def _body(response: httpx2.Response, deadline: float, most: int | None) -> bytes:
    """Decoded as it says, and no more of it than anybody needs."""
    body = b""
    for chunk in response.iter_bytes():
        body += chunk
        if most is not None and len(body) >= most:
            return body[:most]
        if len(body) > LARGEST:
            raise Unreachable(_("The answer is far too large."))
        if time.monotonic() > deadline:
            raise TimeoutError
    return body


def transport() -> httpx2.BaseTransport:
    own = settings.OUTBOUND_CA
    context = _trusting(own, own.stat().st_mtime_ns if own is not None else 0)
    return httpx2.HTTPTransport(verify=context, trust_env=False)


@lru_cache(maxsize=2)
def _trusting(own: Path | None, _changed_at: int) -> ssl.SSLContext:
    """Kept: reading all the roots takes longer than a request."""
    context = ssl.create_default_context()
    if own is not None:
        context.load_verify_locations(own)
    return context


def permitted_address(host: str, port: int, *, in_clear: bool = False) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise Unreachable(_("The name %(host)s does not resolve.") % {"host": host}) from error
    addresses = [ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    if not addresses or not all(is_public(address) or _is_permitted(address) for address in addresses):
        raise Unreachable(
            _(
                "%(host)s resolves to an address inside a network, where this server does not go unless"
                " EPMM_OUTBOUND_NETWORKS names it."
            )
            % {"host": host}
        )
    if in_clear and not all(_is_permitted(address) for address in addresses):
        raise Unreachable(_("By http:// only addresses are called that EPMM_OUTBOUND_NETWORKS names."))
    return str(min(addresses, key=lambda each: each.version))  # of two families the one that more machines can reach


def _is_permitted(address: Address) -> bool:
    return any(address in ip_network(item, strict=False) for item in settings.OUTBOUND_NETWORKS)


def is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.sixtofour is not None or address.teredo is not None or address in TRANSLATED:
            return False
    return address.is_global and not address.is_multicast
