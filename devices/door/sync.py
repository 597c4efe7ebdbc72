"""What a device asks about its declarations, and what it reports of them: each is one question to the database.

The handlers do the same the long way, for whatever is not found here (protocol reference, 7).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final, Self

from django.utils import timezone

from devices.door.caller import Caller
from devices.door.exchange import JSON, Answer
from devices.protocol.declarative import (
    DECLARATION,
    DECLARATION_ITEMS,
    ENDPOINT,
    STATUS,
    TOKENS,
    read_declaration_endpoint,
)
from devices.protocol.declarative.manifest import read_items, render_manifest, render_tokens
from devices.protocol.declarative.status import StatusReport
from devices.protocol.sender import Sender
from devices.protocol.toplevel import TopLevel
from epmm.wire.errors import WireError
from epmm.wire.plist import load_dict, optional, required

EPOCH: Final = datetime.fromtimestamp(0, UTC)
MESSAGE_TYPE: Final = "DeclarativeManagement"
LARGEST_REPORT: Final = 8 << 10  # bytes of its message: a report is read before anybody asks whose it is


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
    came_at: datetime = field(default_factory=timezone.now)

    @classmethod
    def of(cls, caller: Caller, certificate: bytes, raw: bytes, content: TopLevel) -> Self | None:
        """Of the certificate its SHA-256.  None for what the handlers are to judge: what is not as it should
        be, and a report that takes long to read.
        """
        try:
            return cls._read(caller, certificate, raw, content)
        except WireError:
            return None

    @classmethod
    def _read(cls, caller: Caller, certificate: bytes, raw: bytes, content: TopLevel) -> Self | None:
        sender, named = Sender.parse(content), required(content, "Endpoint", str, longest=ENDPOINT)
        endpoint, kind, identifier, report = _ENDPOINTS.get(named, Endpoint.DECLARATION), "", "", b""
        if endpoint is Endpoint.DECLARATION:
            kind, identifier = read_declaration_endpoint(named)
        elif endpoint is Endpoint.STATUS:
            if len(raw) > LARGEST_REPORT:
                return None
            report = optional(load_dict(raw), "Data", bytes) or b""
            StatusReport.parse(report)
        return cls(
            sha256=certificate,
            device_key=sender.device_key,
            user_key=sender.user_key,
            bearer_sha256=caller.bearer_sha256,
            endpoint=endpoint,
            kind=kind,
            identifier=identifier,
            body=report,
            came_at=caller.came_at,
        )


@dataclass(frozen=True, slots=True)
class Synced:
    """What the endpoint asks for; the rest says nothing."""

    found: bool = True
    is_known: bool = True  # who asks
    token: str = ""  # of the set that the device is to hold, or of the one whose items these are
    changed_at: datetime = EPOCH  # when that came to be
    items: str = field(default="", repr=False)  # JSON, as the Manifest holds it
    declaration: bytes = field(default=b"", repr=False)


NOBODYS: Final = Synced(found=False, is_known=False)
LEFT: Final = Synced(found=False)  # to the handlers
REPORTED: Final = Synced()
_ENDPOINTS: Final = {TOKENS: Endpoint.TOKENS, DECLARATION_ITEMS: Endpoint.ITEMS, STATUS: Endpoint.STATUS}
_NAMES: Final = {Endpoint.DECLARATION: DECLARATION} | {endpoint: name for name, endpoint in _ENDPOINTS.items()}


def answer_to(sync: Sync, synced: Synced) -> Answer:
    about = {"endpoint": _NAMES[sync.endpoint]}
    match sync.endpoint:
        case Endpoint.STATUS:
            return Answer(about=about)
        case Endpoint.TOKENS:
            body = render_tokens(token=synced.token, timestamp=synced.changed_at)
        case Endpoint.ITEMS:
            body = render_manifest(read_items(synced.items), token=synced.token)
        case Endpoint.DECLARATION:
            body = synced.declaration
    return Answer(body=body, content_type=JSON, about=about)
