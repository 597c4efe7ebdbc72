"""Calls over HTTP: credentials, trust, and which failure may be answered by another try."""

import contextlib
import gzip
import json
import random
import ssl
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx2

from epmm_client.errors import NotConfigured, Refused, Unreachable, refusal

BASE: Final = "/api/v2/"
OURS: Final = "/api/v2/x/"
KEY: Final = "Idempotency-Key"
TRIES: Final = 4
SECONDS: Final = 30.0
LONGEST_WAIT: Final = 60.0
UNDER_WAY: Final = "urn:problem-type:epmm:call.under.way"
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    address: str
    token: str = field(default="", repr=False)
    ca_file: str = ""

    def __post_init__(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOCAL):
            raise NotConfigured(f"{self.address!r} is no address of a server: it begins with https://.")
        if not parts.hostname or parts.username is not None or parts.query or parts.fragment:
            raise NotConfigured(f"{self.address!r} is no address of a server.")

    def trust(self) -> ssl.SSLContext:
        """What the system trusts, and the file's certificates besides."""
        context = ssl.create_default_context()
        if self.ca_file:
            try:
                context.load_verify_locations(cafile=self.ca_file)
            except OSError as error:  # also ssl.SSLError
                raise NotConfigured(f"{self.ca_file} holds no certificates: {error}") from error
        return context


class Connection:
    """`transport` and `sleep` are for tests."""

    def __init__(
        self,
        server: Server,
        *,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.server, self._sleep = server, sleep
        headers = {"Authorization": f"Bearer {server.token}"} if server.token else {}
        self.http = httpx2.Client(
            base_url=server.address.rstrip("/"),
            headers={"Accept": "application/json", "User-Agent": "epmm-client"} | headers,
            verify=server.trust() if transport is None else True,
            transport=transport,
            timeout=SECONDS,
            event_hooks={"response": [self._note_tls]},  # before the body is read, after which it may be closed
        )
        self.tls: tuple[str, Mapping[str, Any]] | None = None  # version and certificate, as far as they are known

    def _note_tls(self, answer: httpx2.Response) -> None:
        stream = answer.extensions.get("network_stream")
        found = stream.get_extra_info("ssl_object") if stream is not None else None
        certificate = found.getpeercert() if found is not None else None
        if found is not None and certificate:
            self.tls = (str(found.version()), certificate)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.http.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        packed: bool = False,
    ) -> Any:
        """The JSON of the answer; None where it has none.  Raises Refused, Unreachable."""
        return read(self.send(method, path, query=query, body=body, headers=headers, packed=packed))

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        tries: int = TRIES,
        packed: bool = False,
    ) -> httpx2.Response:
        """The answer, whatever its status, after as many tries as make sense.  Raises Unreachable.

        `packed` is for a long body, where the call takes one by gzip.
        """
        address = _address(path)
        sent = dict(headers or {})
        if method == "POST" and address.startswith(OURS) and KEY.lower() not in map(str.lower, sent):
            sent[KEY] = str(uuid.uuid4())  # one for all tries: whatever they are, it is done once
        repeatable = method in ("GET", "HEAD") or any(name.lower() == KEY.lower() for name in sent)
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            sent["Content-Type"] = "application/json"
            if packed:
                content, sent["Content-Encoding"] = gzip.compress(content), "gzip"
        given = {name: _written(value) for name, value in (query or {}).items() if value is not None}
        for wait in _waits(tries):
            with self._told():
                try:
                    request = self.http.build_request(
                        method, address, params=given or None, content=content, headers=sent
                    )
                    answer = self.http.send(request)
                except httpx2.TransportError as error:
                    if wait is None or not (repeatable or isinstance(error, httpx2.ConnectError)) or _is_tls(error):
                        raise
                    self._sleep(wait)
                    continue
            if wait is None or not _passes(answer, repeatable=repeatable):
                return answer
            self._sleep(_asked_wait(answer) or wait)
        raise AssertionError  # the last try returns or raises

    def pages(self, path: str, query: Mapping[str, Any] | None = None) -> Iterator[Json]:
        """Rows of a list of `/api/v2/x/`, page after page as they are read."""
        page = self.call("GET", path, query=query)
        while True:
            yield from page["items"]
            if not page.get("next"):
                return
            page = self.call("GET", page["next"])

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except httpx2.InvalidURL as error:
            raise Unreachable(f"This is no address: {error}") from error
        except httpx2.TransportError as error:
            why = "its certificate is not trusted" if _is_tls(error) else (str(error) or type(error).__name__)
            hint = " Name its authority with --ca-file." if _is_tls(error) else ""
            raise Unreachable(f"{self.server.address} cannot be reached: {why}.{hint}") from error


def read(answer: httpx2.Response) -> Any:
    """Raises Refused, Unreachable."""
    try:
        body = answer.json() if answer.content else None
    except ValueError as error:
        if answer.is_success:
            raise Unreachable(f"{answer.url.host} did not answer with JSON: is it a server of EPMM?") from error
        body = None
    if not answer.is_success:
        raise refusal(answer.status_code, body)
    return body


def is_denied(error: Refused) -> bool:
    return error.status in (401, 403)


def _address(path: str) -> str:
    """Below the server alone: credentials go nowhere else, whatever a page says comes next."""
    parts = urlsplit(path)
    if parts.scheme or parts.netloc or path.startswith("//"):
        raise Unreachable(f"{path} leads to another server.")
    return path if path.startswith("/") else BASE + path


def _waits(tries: int) -> Iterator[float | None]:
    """Before each further try; None: it was the last."""
    for number in range(tries - 1):
        yield 0.5 * 2**number * random.uniform(0.75, 1.25)  # noqa: S311 - so that callers do not come together again
    yield None


def _passes(answer: httpx2.Response, *, repeatable: bool) -> bool:
    """A call that was turned away for now.  What 502 and 504 tell of, a server may have done."""
    match answer.status_code:
        case 429:
            return True
        case 502 | 503 | 504:
            return repeatable
        case 409:
            return repeatable and UNDER_WAY in answer.text
        case _:
            return False


def _asked_wait(answer: httpx2.Response) -> float | None:
    text = answer.headers.get("Retry-After", "")
    return min(float(text), LONGEST_WAIT) if text.isdecimal() and text.isascii() else None


def _is_tls(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _written(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
