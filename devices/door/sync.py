"""What a device asks about its declarations, and what it reports of them: each is one question to the database.

The handlers do the same the long way, for whatever is not found here (protocol reference, 7).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final, Self

from devices.door.exchange import JSON, Answer
from devices.protocol import declarative
from devices.protocol.declarative import DeclarativeManagement, read_declaration_endpoint
from devices.protocol.declarative.manifest import read_items, render_manifest, render_tokens
from devices.protocol.declarative.status import StatusReport
from devices.protocol.toplevel import TopLevel
from epmm.wire.plist import load_dict

EPOCH: Final = datetime.fromtimestamp(0, UTC)
MESSAGE_TYPE: Final = "DeclarativeManagement"


class Endpoint(IntEnum):
    TOKENS = 0
    ITEMS = 1
    DECLARATION = 2
    STATUS = 3


@dataclass(slots=True, kw_only=True)
class Sync:
    """One message: who (by certificate), of which channel, and what about."""

    sha256: bytes
    device_key: str
    user_key: str = ""
    bearer_sha256: bytes | None = field(default=None, repr=False)  # None: not asked for
    endpoint: Endpoint
    kind: str = ""  # of the declaration
    identifier: str = ""
    body: bytes = field(default=b"", repr=False)  # a report

    @classmethod
    def of(cls, certificate: bytes, bearer: bytes | None, raw: bytes, content: TopLevel) -> Self:
        """Of certificate and bearer their SHA-256.  Raises WireError, also for a report that is none."""
        is_report = content.get("Endpoint") == declarative.STATUS
        message = DeclarativeManagement.parse(load_dict(raw) if is_report else content)
        sync = cls(
            sha256=certificate,
            device_key=message.sender.device_key,
            user_key=message.sender.user_key,
            bearer_sha256=bearer,
            endpoint=_ENDPOINTS.get(message.endpoint, Endpoint.DECLARATION),
            body=message.data if is_report else b"",
        )
        if is_report:
            StatusReport.parse(message.data)
        elif sync.endpoint is Endpoint.DECLARATION:
            sync.kind, sync.identifier = read_declaration_endpoint(message.endpoint)
        return sync


@dataclass(frozen=True, slots=True)
class Synced:
    """What is not asked for is empty."""

    found: bool = True
    is_known: bool = True  # who asks
    token: str = ""  # of the set that the device is to hold, or of the one whose items these are
    changed_at: datetime = EPOCH  # when that came to be
    items: str = field(default="", repr=False)  # JSON, as the Manifest holds it
    declaration: bytes = field(default=b"", repr=False)


NOBODYS: Final = Synced(found=False, is_known=False)
LEFT: Final = Synced(found=False)  # to the handlers
REPORTED: Final = Synced()
_ENDPOINTS: Final = {
    declarative.TOKENS: Endpoint.TOKENS,
    declarative.DECLARATION_ITEMS: Endpoint.ITEMS,
    declarative.STATUS: Endpoint.STATUS,
}


def answer_to(sync: Sync, synced: Synced) -> Answer:
    match sync.endpoint:
        case Endpoint.STATUS:
            return Answer.EMPTY
        case Endpoint.TOKENS:
            body = render_tokens(token=synced.token, timestamp=synced.changed_at)
        case Endpoint.ITEMS:
            body = render_manifest(read_items(synced.items), token=synced.token)
        case Endpoint.DECLARATION:
            body = synced.declaration
    return Answer(body=body, content_type=JSON)
