"""A device's way out: HTTPS with verified certificates, also under names that only a laboratory knows."""

import socket
import ssl
import tempfile
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path

import httpx2

from enrollment.simulator.identity import Identity
from enrollment.simulator.refusal import DeviceRefused, NoAnswer

_TIMEOUT = 30.0
_REDIRECTS = 10
_HERE = "127.0.0.1"


class Network:
    """What one device has: a client without memory for its daemons, and browsers with cookies of their own."""

    def __init__(self, *, trust: Path | None = None, transport: httpx2.BaseTransport | None = None) -> None:
        self._trust = trust
        self._given = transport
        self._transport = transport or _Resolving(_tls(trust))
        self._presenting: dict[bytes, httpx2.Client] = {}
        self.client = _client(self._transport, _no_cookies())

    def presenting(self, identity: Identity) -> httpx2.Client:
        """A client that offers this certificate whenever a server asks for one, as a device does for MDM."""
        if self._given is not None:
            return self.client
        if identity.der not in self._presenting:
            self._presenting[identity.der] = _client(_Resolving(_tls(self._trust, identity)), _no_cookies())
        return self._presenting[identity.der]

    def browser(self) -> httpx2.Client:
        return _client(self._transport, CookieJar())

    def close(self) -> None:
        for client in (self.client, *self._presenting.values()):
            client.close()


def send(client: httpx2.Client, request: httpx2.Request) -> httpx2.Response:
    """One exchange, redirects not followed; every way in which no answer comes is one exception."""
    if request.url.scheme != "https" or not request.url.host:
        raise DeviceRefused(
            "speaks HTTPS only and sends nothing", f"the address is {request.url.copy_with(query=None)}"
        )
    try:
        return client.send(request)
    except httpx2.HTTPError as error:
        where = f"{request.method} {request.url.host}:{request.url.port or 443}{request.url.path}"
        raise NoAnswer(
            "reports that the server cannot be reached", f"{where}: {type(error).__name__} {error}"
        ) from error


def follow(client: httpx2.Client, request: httpx2.Request) -> httpx2.Response:
    """As `send`, and on to where a redirect points: same method and body, nothing added to the new address."""
    for _ in range(_REDIRECTS):
        response = send(client, request)
        if not response.has_redirect_location:
            return response
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        request = client.build_request(request.method, redirected(response), headers=headers, content=request.content)
    raise DeviceRefused("gives up", f"more than {_REDIRECTS} redirects in a row")


def redirected(response: httpx2.Response) -> httpx2.URL:
    try:
        return response.url.join(response.headers["Location"])
    except httpx2.InvalidURL as error:
        raise DeviceRefused("gives up", "a redirect to something that is no address") from error


def media_type(response: httpx2.Response) -> str:
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def _client(transport: httpx2.BaseTransport, jar: CookieJar) -> httpx2.Client:
    # a proxy or certificate from the operator's environment is not the device's
    return httpx2.Client(transport=transport, cookies=jar, timeout=_TIMEOUT, trust_env=False, headers={"Accept": "*/*"})


def _no_cookies() -> CookieJar:
    return CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))


def _tls(trust: Path | None, identity: Identity | None = None) -> ssl.SSLContext:
    """The system's roots, and the laboratory's development CA where there is one."""
    context = ssl.create_default_context()
    if trust is not None and trust.is_file():
        context.load_verify_locations(trust)
    if identity is not None:
        with tempfile.NamedTemporaryFile(suffix=".pem") as file:  # readable by the owner alone, gone at once
            file.write(identity.key_pem + identity.pem)
            file.flush()
            context.load_cert_chain(file.name)
    return context


class _Resolving(httpx2.BaseTransport):
    """Reaches this machine under a name that does not resolve, with that name as SNI and Host."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        # one pool for each name: two names at the same address must not share a connection verified for one of them
        self._pools: dict[str, httpx2.HTTPTransport] = {}
        self._resolved: dict[str, bool] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        if host not in self._pools:
            self._pools[host] = httpx2.HTTPTransport(verify=self._context, trust_env=False)
            self._resolved[host] = _resolves(host)
        if not self._resolved[host]:
            request = httpx2.Request(
                request.method,
                request.url.copy_with(host=_HERE),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host},
            )
        return self._pools[host].handle_request(request)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


def _resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True
