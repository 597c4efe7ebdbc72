"""From the typed identifier to the server that manages it: the well-known request."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx2

from enrollment.simulator.errors import coded_error
from enrollment.simulator.network import follow, media_type
from enrollment.simulator.refusal import DeviceRefused, TurnedAway

USER_AGENT = "DeviceManagementClient/1.0"
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_REACTION = "shows that this account does not support the expected services, and stops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to enroll, and in which of the two ways."""

    version: str
    base_url: str

    @property
    def enrollment_mode(self) -> str:
        return {"mdm-adde": "ADDE", "mdm-byod": "BYOD"}[self.version]


def domain_of(identifier: str) -> str:
    """The part behind the last `@`; the device itself refuses what is no full domain name."""
    user, _, domain = identifier.rpartition("@")
    labels = domain.split(".")
    if not user or len(labels) == 1 or not all(_LABEL.fullmatch(label) for label in labels):
        raise DeviceRefused("refuses the account before it asks anybody", f"{identifier!r} is not user@full.domain")
    return domain


def well_known(identifier: str, family: str, ports: Mapping[str, int]) -> str:
    domain = domain_of(identifier)
    port = ports.get(domain.lower())
    host = f"{domain}:{port}" if port else domain
    return f"https://{host}/.well-known/com.apple.remotemanagement?{who(identifier)}&model-family={family}"


def who(identifier: str) -> str:
    """The query item of the person, in the encoding of Apple's URLQueryItem: "@" and "+" stay as they are."""
    return "user-identifier=" + quote(identifier, safe="@+!$'()*,;:/?")


def ask(client: httpx2.Client, url: str) -> Server:
    response = follow(client, client.build_request("GET", url, headers={"User-Agent": USER_AGENT}))
    if response.status_code != HTTPStatus.OK:
        error = coded_error(response)
        shown = f": {error.message!r}" if error.message else ""
        raise TurnedAway(
            _REACTION,
            f"discovery answered {response.status_code} {error.code}{shown}".rstrip(),
            status=response.status_code,
            code=error.code,
            sentence=error.message,
        )
    if media_type(response) != "application/json":
        raise _refused(f"the answer is {media_type(response) or 'of no type'}, not application/json")
    return _read(response.content)


def _read(body: bytes) -> Server:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _refused("the answer is not JSON") from error
    servers = document.get("Servers") if isinstance(document, dict) else None
    if not isinstance(servers, list) or len(servers) != 1 or not isinstance(servers[0], dict):
        raise _refused("Servers is not a list of exactly one dictionary")
    version, base_url = _text(servers[0], "Version"), _text(servers[0], "BaseURL")
    if version not in {"mdm-adde", "mdm-byod"}:
        raise _refused(f"Version {version!r} is neither mdm-adde nor mdm-byod")
    if not is_https(base_url):
        raise _refused("BaseURL is not an absolute https address")
    return Server(version=version, base_url=base_url)


def is_https(address: str) -> bool:
    try:
        url = httpx2.URL(address)
    except httpx2.InvalidURL:
        return False
    return url.scheme == "https" and bool(url.host) and not url.fragment


def _text(source: dict[str, Any], key: str) -> str:
    value = source.get(key)
    if not isinstance(value, str):
        raise _refused(f"{key} is missing or not a string")
    return value


def _refused(reason: str) -> DeviceRefused:
    return DeviceRefused(_REACTION, reason)
