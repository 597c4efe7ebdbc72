"""Declarative management as it rides on check-in, and the two documents every device asks for first.

https://developer.apple.com/documentation/devicemanagement/declarativemanagementrequest
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

from devices.protocol.sender import Sender
from epmm.wire.plist import optional, required

ENDPOINT: Final = 255  # `declaration/configuration/` and an identifier of at most 64 octets
TOKENS: Final = "tokens"
DECLARATION_ITEMS: Final = "declaration-items"
DECLARATION: Final = "declaration/"
STATUS: Final = "status"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclarativeManagement:
    sender: Sender
    endpoint: str
    data: bytes = field(default=b"", repr=False)  # the JSON of a status report

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> Self:
        return cls(
            sender=Sender.parse(source),
            endpoint=required(source, "Endpoint", str, longest=ENDPOINT),
            data=optional(source, "Data", bytes) or b"",
        )


def render_tokens(*, declarations_token: str, timestamp: datetime) -> bytes:
    """The device picks the newest of several sources by the time, which has no fraction."""
    moment = timestamp.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _json({"SyncTokens": {"Timestamp": moment, "DeclarationsToken": declarations_token}})


def render_no_declarations(*, declarations_token: str) -> bytes:
    """All four lists are required, even when empty."""
    kinds: dict[str, list[object]] = {kind: [] for kind in ("Activations", "Configurations", "Assets", "Management")}
    return _json({"Declarations": kinds, "DeclarationsToken": declarations_token})


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
