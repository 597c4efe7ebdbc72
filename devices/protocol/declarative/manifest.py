"""What a channel is to hold: declarations, the manifest that lists them, and the tokens that name both.

https://developer.apple.com/documentation/devicemanagement/leveraging-the-declarative-management-data-model-to-scale-devices
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from devices.protocol.declarations.reach import DeclarationKind

LISTS: Final = {
    DeclarationKind.ACTIVATION: "Activations",
    DeclarationKind.CONFIGURATION: "Configurations",
    DeclarationKind.ASSET: "Assets",
    DeclarationKind.MANAGEMENT: "Management",
}


class Item(NamedTuple):
    """A declaration as the manifest names it."""

    kind: str
    identifier: str
    server_token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A declaration as a device gets it; its token is the hash of all the rest."""

    item: Item
    body: bytes = field(repr=False)


def render(kind: DeclarationKind, *, identifier: str, type_: str, payload: Mapping[str, Any]) -> Rendered:
    """The token has 64 octets, which is what Apple allows."""
    content = {"Type": type_, "Identifier": identifier, "Payload": payload}
    token = hashlib.sha256(canonical(content)).hexdigest()
    return Rendered(item=Item(kind.value, identifier, token), body=canonical({**content, "ServerToken": token}))


def declarations_token(items: Iterable[Item]) -> str:
    return hashlib.sha256(canonical(sorted(items))).hexdigest()


def render_tokens(*, token: str, timestamp: datetime) -> bytes:
    """The device picks the newest of several sources by the time, which has no fraction."""
    moment = timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return canonical({"SyncTokens": {"Timestamp": moment, "DeclarationsToken": token}})


def render_manifest(items: Iterable[Item], *, token: str) -> bytes:
    """All four lists are required, even when empty."""
    lists: dict[str, list[dict[str, str]]] = {name: [] for name in LISTS.values()}
    for item in items:
        listed = lists[LISTS[DeclarationKind(item.kind)]]
        listed.append({"Identifier": item.identifier, "ServerToken": item.server_token})
    return canonical({"Declarations": lists, "DeclarationsToken": token})


def read_items(stored: str) -> list[Item]:
    """As a Manifest holds them: JSON, a list of three texts for each."""
    return [Item(*item) for item in json.loads(stored)]


def canonical(value: object) -> bytes:
    """One value, one text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
