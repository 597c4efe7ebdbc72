"""An enrollment domain, asked as a device asks it, without becoming a way to look into the networks around this server.

Only the domain itself and our own public host are spoken to, on the port of HTTPS.  The name is resolved once, each of
its addresses has to be a public one, and the connection goes to that address: what the name means a moment later does
not matter (DNS rebinding).  Time and size of the answer are bounded.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

import httpx2
from django.conf import settings
from django.db.models import Max
from django.utils.translation import gettext as _

from enrollment.services import policy
from enrollment.services.findings import Finding, Verdict
from enrollment.simulator import discovery
from enrollment.simulator.discovery import Server
from enrollment.simulator.network import Network, media_type
from enrollment.simulator.refusal import DeviceRefused, TurnedAway
from epmm import audit
from epmm.models import AuditEntry
from epmm.outbound import is_public

TESTED: Final = "enrollment_domain.tested"
WHO: Final = "test"  # before the @; the answer tells nobody whether such a person exists
SECONDS: Final = 15.0
LARGEST: Final = 16_384  # bytes of an answer; ours has a hundred
WAY: Final = "answered by"  # in the audit log
HTTPS: Final = 443
HERE: Final = "127.0.0.1"

Inner = Callable[[], httpx2.BaseTransport]


class LooksElsewhere(DeviceRefused):
    """A device would go there; this server does not, on an administrator's behalf."""

    def __init__(self, sentence: str) -> None:
        super().__init__("is led elsewhere", sentence)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    host: str
    address: str
    status: int
    media_type: str


class Way(StrEnum):
    """How a device that asks the domain gets its answer."""

    OWN = "own"  # this server is the domain
    REDIRECT = "redirect"
    FILE = "file"
    APPLE = "apple"  # the domain has no answer, so a device asks Apple School Manager or Apple Business


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    findings: list[Finding]
    way: Way | None  # None: nobody was reached

    @property
    def is_good(self) -> bool:
        return all(finding.verdict is Verdict.OK for finding in self.findings)


def leads_here(server: Server) -> bool:
    return urlsplit(server.base_url).hostname == settings.PUBLIC_HOST


def test(domain: str, *, actor: str, address: str | None) -> Outcome:
    """For an administrator, who is seen to have asked."""
    outcome = check(domain)
    told = {each.subject: each.sentence for each in outcome.findings if each.verdict is not Verdict.OK}
    audit.record(
        TESTED,
        actor=actor,
        address=address,
        subject_type="enrollment_domain",
        subject=domain,
        status=AuditEntry.Status.SUCCESS if outcome.is_good else AuditEntry.Status.FAILED,
        details=({WAY: outcome.way.value} if outcome.way else {}) | told,
    )
    return outcome


def last_tests(domains: Collection[str]) -> dict[str, AuditEntry]:
    """By domain, as far as the audit log remembers."""
    of_these = AuditEntry.objects.filter(action=TESTED, subject__in=domains)
    newest = of_these.order_by().values("subject").annotate(newest=Max("pk")).values("newest")
    return {entry.subject: entry for entry in AuditEntry.objects.filter(pk__in=newest)}


def last_way(domain: str, entry: AuditEntry | None) -> Way | None:
    """As the last test saw it; None where none did."""
    known = Way.OWN if domain == settings.PUBLIC_HOST else None
    seen = entry.details.get(WAY) if entry is not None else None
    return Way(seen) if seen in set(Way) else known


def check(domain: str, *, inner: Inner | None = None, seconds: float = SECONDS) -> Outcome:
    """What a device of somebody in this domain would find, in the order in which it would."""
    guarded = _Guarded(domain, inner or _tls, deadline=time.monotonic() + seconds)
    network = Network(transport=guarded)
    family = policy.family_met(domain)
    answers: list[Server | Exception] = []

    def ask() -> None:
        try:
            address = discovery.well_known(f"{WHO}@{domain}", family, _ports())
            answers.append(discovery.ask(network.client, address))
        except Exception as error:  # noqa: BLE001 - told below, in the thread that asked
            answers.append(error)

    # in a thread of its own: a server that sends a byte now and then must not hold ours
    thread = threading.Thread(target=ask, name="domain-check", daemon=True)
    thread.start()
    thread.join(seconds)
    network.close()
    answer = answers[0] if answers else TimeoutError()
    way = _way(domain, guarded.hops)
    findings = [*_hops(guarded.hops), *_verdict(domain, answer)]
    if way is Way.APPLE:
        sentence = _(
            "Devices since iOS 18.2, macOS 15.2, visionOS 2.2 ask Apple next, which leads Managed Apple Accounts"
            " to the server that your organization named there. This test does not see that; older devices stop here."
        )
        findings.append(Finding.warning("Apple", sentence))
    return Outcome(findings=findings, way=way)


def _way(domain: str, hops: Sequence[Hop]) -> Way | None:
    """By whoever answered last."""
    if not hops:
        return None
    if hops[-1].host == settings.PUBLIC_HOST:
        return Way.OWN if domain == settings.PUBLIC_HOST else Way.REDIRECT
    if hops[-1].status >= HTTPStatus.BAD_REQUEST:
        return Way.APPLE
    return Way.REDIRECT if hops[-1].status >= HTTPStatus.MULTIPLE_CHOICES else Way.FILE


def _hops(hops: list[Hop]) -> Iterator[Finding]:
    for hop in hops:
        sentence = _("%(host)s at %(address)s, with a valid certificate: status %(status)d, %(type)s")
        kind = hop.media_type or _("no type")
        facts = {"host": hop.host, "address": hop.address, "status": hop.status, "type": kind}
        yield Finding.ok("HTTPS", sentence % facts)


def _verdict(domain: str, answer: Server | Exception) -> Iterator[Finding]:
    match answer:
        case Server():
            yield Finding.ok(_("Answer"), f"{answer.version}, {answer.base_url}")
            yield _base_url(answer)
        case LooksElsewhere():
            yield Finding.warning(_("Redirect"), answer.reason)
        case TurnedAway():
            yield Finding.stops(_("Answer"), answer.sentence or answer.reason)
        case DeviceRefused():
            yield Finding.stops(_("Answer"), answer.reason)
        case TimeoutError():
            yield Finding.stops(_("Answer"), _("%(domain)s took too long to answer.") % {"domain": domain})
        case _:
            yield Finding.stops(_("Answer"), _("The answer cannot be read."))


def _base_url(server: Server) -> Finding:
    host = urlsplit(server.base_url).netloc
    if leads_here(server):
        return Finding.ok("BaseURL", _("Devices are led to this server (%(host)s).") % {"host": host})
    return Finding.warning(
        "BaseURL",
        _("Devices are led to %(host)s, which is not this server (%(own)s).")
        % {"host": host, "own": settings.PUBLIC_HOST},
    )


def _ports() -> dict[str, int]:
    port = urlsplit(settings.PUBLIC_URL).port
    return {settings.PUBLIC_HOST: port} if port else {}


def _tls() -> httpx2.BaseTransport:
    """The system's roots, and the development CA where there is one."""
    context = ssl.create_default_context()
    if (own := settings.TLS_DIR / "ca.pem").is_file():
        context.load_verify_locations(own)
    return httpx2.HTTPTransport(verify=context, trust_env=False)


# --- The guard --------------------------------------------------------------------------------------------------------


class _Guarded(httpx2.BaseTransport):
    """Goes to the domain and to us, at addresses that were looked at."""

    def __init__(self, domain: str, inner: Inner, *, deadline: float) -> None:
        self._allowed = {domain: HTTPS} | {settings.PUBLIC_HOST: _ports().get(settings.PUBLIC_HOST, HTTPS)}
        self._inner, self._deadline = inner, deadline
        # one pool for each name: two names at one address must not share a connection verified for one of them
        self._pools: dict[str, httpx2.BaseTransport] = {}
        self.hops: list[Hop] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        host = request.url.host
        if self._allowed.get(host) != (request.url.port or HTTPS):
            raise LooksElsewhere(
                _("It redirects to %(host)s, where this test does not go. Let it redirect to %(own)s.")
                % {"host": request.url.netloc.decode("ascii", "replace"), "own": settings.PUBLIC_HOST}
            )
        address = _own_address(host) if host == settings.PUBLIC_HOST else _public_address(host)
        pinned = httpx2.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host, "timeout": self._timeouts()},
        )
        pool = self._pools.setdefault(host, self._inner())
        response = pool.handle_request(pinned)
        self.hops.append(Hop(host=host, address=address, status=response.status_code, media_type=media_type(response)))
        body = response.stream
        if not isinstance(body, httpx2.SyncByteStream):
            raise TypeError
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=_Bounded(body, self._deadline),
            extensions=response.extensions,
        )

    def _timeouts(self) -> dict[str, float]:
        left = max(0.1, self._deadline - time.monotonic())
        return dict.fromkeys(("connect", "read", "write", "pool"), min(5.0, left))

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()


class _Bounded(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        for chunk in self._stream:
            received += len(chunk)
            if received > LARGEST:
                raise DeviceRefused("stops", _("The answer is far too large."))
            if time.monotonic() > self._deadline:
                raise TimeoutError
            yield chunk

    def close(self) -> None:
        self._stream.close()


def _addresses(host: str) -> list[IPv4Address | IPv6Address]:
    try:
        found = socket.getaddrinfo(host, HTTPS, type=socket.SOCK_STREAM)
    except OSError as error:
        raise DeviceRefused("finds nobody", _("The name %(host)s does not resolve.") % {"host": host}) from error
    return [ip_address(str(each[4][0]).partition("%")[0]) for each in found]


def _public_address(host: str) -> str:
    addresses = _addresses(host)
    if not addresses or not all(map(is_public, addresses)):
        raise DeviceRefused(
            "cannot reach it",
            _("%(host)s resolves to an address inside a network (not public), where this test does not go.")
            % {"host": host},
        )
    return str(addresses[0])


def _own_address(host: str) -> str:
    """Wherever it is; in a laboratory its name may be known to nobody."""
    try:
        return str(_addresses(host)[0])
    except (DeviceRefused, IndexError):
        return HERE
