"""Looks at a server from outside, as a device or a script sees it."""

import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import httpx2

from epmm_client.client import Client
from epmm_client.errors import EpmmError, Refused, Unreachable

GOOD, DOUBTFUL, BAD = "good", "doubtful", "bad"
STATUS: Final = "/status/status.html"
HEALTHY: Final = "MOBILEIRON-STATUS: OK"
WELL_KNOWN: Final = "/.well-known/com.apple.remotemanagement"
KINDS: Final = ("mdm-adde", "mdm-byod")
SKEW: Final = 60  # seconds
ENDS_SOON: Final = 21  # days
AREAS: Final[Sequence[tuple[str, str, dict[str, Any]]]] = (
    ("devices", "devices/count", {"query": ""}),
    ("labels", "labels/label_summary", {"limit": 1}),
    ("users", "x/users", {"limit": 1}),
    ("audit log", "x/audit", {"limit": 1}),
    ("settings", "x/settings", {}),
)


class Finding(NamedTuple):
    subject: str
    verdict: str
    sentence: str


def examine(client: Client, domain: str, now: datetime, discover: Callable[[str], Any]) -> Iterator[Finding]:
    """`discover` asks an address for JSON without credentials.  What depends on what failed is left out."""
    try:
        answer = client.send("GET", STATUS, tries=1)
    except Unreachable as error:
        yield Finding("Reachable", BAD, str(error))
        return
    yield _health(answer)
    yield _tls(client, now)
    yield _clock(answer, now)
    yield from _caller(client)
    if domain:
        yield _discovery(domain, client.server.address, discover)


def _health(answer: httpx2.Response) -> Finding:
    lines = [line.strip() for line in answer.text.splitlines() if line.strip()]
    if answer.is_success and lines[:1] == [HEALTHY]:
        return Finding("Reachable", GOOD, "It says that it is healthy.")
    if lines and lines[0].startswith(HEALTHY.partition(" ")[0]):
        return Finding("Reachable", BAD, f"It says that it is not healthy: {' '.join(lines)}")
    return Finding("Reachable", BAD, f"{STATUS} has status {answer.status_code}: is this a server of EPMM?")


def _tls(client: Client, now: datetime) -> Finding:
    if urlsplit(client.server.address).scheme != "https":
        return Finding("TLS", DOUBTFUL, "There is none: this is plain HTTP on this very machine.")
    if client.tls is None:
        return Finding("TLS", GOOD, "The certificate is trusted.")
    version, certificate = client.tls
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    days = (ends - now).days
    sentence = f"{version}; the certificate is trusted and ends in {days} days."
    return Finding("TLS", GOOD if days >= ENDS_SOON else DOUBTFUL, sentence)


def _clock(answer: httpx2.Response, now: datetime) -> Finding:
    try:
        theirs = parsedate_to_datetime(answer.headers["Date"])
    except (KeyError, ValueError):
        return Finding("Clock", DOUBTFUL, "The server does not say what time it is.")
    seconds = round(abs((theirs - now).total_seconds()))
    verdict = GOOD if seconds <= SKEW else BAD
    return Finding("Clock", verdict, f"It and the clock of this machine are {seconds} s apart.")


def _caller(client: Client) -> Iterator[Finding]:
    if not client.server.token:
        yield Finding("Credentials", BAD, "There is no token: set EPMM_TOKEN or sign in with `epmm login`.")
        return
    try:
        version = client.version()
    except EpmmError as error:
        yield Finding("Credentials", BAD, str(error))
        return
    yield Finding("Credentials", GOOD, "The token is accepted.")
    yield Finding("Version", GOOD, version)
    for area, path, query in AREAS:
        try:
            client.call("GET", path, query=query)
        except Refused as refused:
            yield Finding("Roles", DOUBTFUL, f"{area}: {refused}")
        else:
            yield Finding("Roles", GOOD, f"{area} can be read.")


def _discovery(domain: str, address: str, discover: Callable[[str], Any]) -> Finding:
    """What a device asks first (Apple, Discover Authentication Servers)."""
    url = f"https://{domain}{WELL_KNOWN}?user-identifier=someone%40{domain}&model-family=iPhone"
    try:
        servers = discover(url)["Servers"]
        found = {str(each["Version"]): str(each["BaseURL"]) for each in servers}
    except (EpmmError, KeyError, TypeError) as error:
        why = str(error) if isinstance(error, EpmmError) else "it is no discovery document."
        return Finding("Discovery", BAD, f"{url}: {why}")
    ours = urlsplit(address).hostname
    strangers = {urlsplit(base).hostname for base in found.values()} - {ours}
    if not found.keys() & set(KINDS):
        return Finding("Discovery", BAD, f"{domain} names no server of the versions {', '.join(KINDS)}.")
    if strangers:
        return Finding("Discovery", DOUBTFUL, f"{domain} leads to {', '.join(map(str, strangers))}.")
    return Finding("Discovery", GOOD, f"{domain} leads here with {', '.join(sorted(found))}.")
