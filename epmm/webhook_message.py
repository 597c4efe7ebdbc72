"""An event as a receiver gets it: the JSON, and the headers that prove who sent it and when."""

import hashlib
import hmac
import json
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from epmm import masking, spaces
from epmm.events import KINDS
from epmm.models import Event

VERSION: Final = 1
ID, TIMESTAMP, SIGNATURE = "EPMM-Event", "EPMM-Timestamp", "EPMM-Signature"
SCHEME: Final = "v1"


def body(event: Event, hidden: Collection[str] = ()) -> bytes:
    """The same bytes for each attempt.  `hidden`: keys of masking.FIELDS that this receiver is not told."""
    kind = KINDS.get(event.kind)  # of what a later release has written it is not known what is personal
    told = masked(event.data, kind.personal, hidden) if kind is not None else {}
    space = {"id": event.space_id, "name": spaces.name_of(event.space_id)}
    envelope = {"id": str(event.uuid), "type": event.kind, "version": VERSION, "time": moment(event.at), "space": space}
    return json.dumps(envelope | told, ensure_ascii=False, separators=(",", ":")).encode()


def masked(data: Mapping[str, Any], personal: Mapping[str, str], hidden: Collection[str]) -> dict[str, Any]:
    return {name: _seen(name, value, personal, hidden) for name, value in data.items()}


def _seen(name: str, value: Any, personal: Mapping[str, str], hidden: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        return masked(value, personal, hidden)
    key = personal.get(name)
    return masking.masked(value, key) if key is not None and key in hidden else value


def headers(event: Event, content: bytes, secrets: Iterable[bytes], now: datetime) -> dict[str, str]:
    """Signed anew for each attempt, with each secret that counts: the receiver takes it when it knows one of them."""
    timestamp = str(int(now.timestamp()))
    return {
        "Content-Type": "application/json",
        "User-Agent": "EPMM-Webhook/1",
        ID: str(event.uuid),
        TIMESTAMP: timestamp,
        SIGNATURE: ",".join(f"{SCHEME}={signature(secret, timestamp, content)}" for secret in secrets),
    }


def signature(secret: bytes, timestamp: str, content: bytes) -> str:
    return hmac.new(secret, timestamp.encode() + b"." + content, hashlib.sha256).hexdigest()


def moment(at: datetime | None) -> str | None:
    """UTC with milliseconds, as the API writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None
