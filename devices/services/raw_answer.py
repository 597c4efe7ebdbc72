"""A command with what was asked and what was answered, for people to read: nothing that opens a device."""

import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from devices.models import Command, CommandRow, Device, FinishedCommand, Result
from devices.protocol.commands import REGISTRY, answers_with_secret
from epmm.wire import plist
from epmm.wire.errors import WireError
from epmm.wire.limits import LARGEST_STORED

HIDDEN: Final = "(hidden)"
MOST_SHOWN: Final = 200_000  # characters
MOST_BYTES: Final = 96  # of one value
# By their names in any answer: what locks, unlocks or names a person's account.
SECRET_KEYS: Final = frozenset(
    {
        "UnlockToken", "EscrowedUnlockToken", "BootstrapToken", "ActivationLockBypassCode", "PersistentID",
        "FDE_PersonalRecoveryKeyCMS", "RecoveryKey", "PushToken", "PushMagic", "Token", "PIN", "Password",
        "NewPassword", "CurrentPassword", "Challenge", "iTunesStoreAccountHash",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exchange:
    command: CommandRow
    request: str
    answer: str


def of(device: Device, command_id: int) -> Exchange | None:
    """Looked for in the order in which a command passes the tables."""
    for rows in (Command.objects.all(), Result.objects.all(), FinishedCommand.objects.all()):
        row = (
            rows.filter(pk=command_id, channel__enrollment__device=device).select_related("channel", "payload").first()
        )
        if row is not None:
            return Exchange(row, _request(row), _answer(row))
    return None


def _request(row: CommandRow) -> str:
    try:
        payload = plist.load_dict(bytes(row.rendered), max_bytes=LARGEST_STORED)["Command"]
    except (WireError, KeyError):
        return ""
    made = REGISTRY.get(row.request_type)
    secret = {key.name for key in made.keys if key.secret} if made else frozenset()
    return _text({key: HIDDEN if key in secret else value for key, value in payload.items()})


def _answer(row: CommandRow) -> str:
    body = getattr(row, "body", None)
    if answers_with_secret(row.request_type):
        return HIDDEN if isinstance(row, Result | FinishedCommand) else ""
    if not body:
        return ""
    try:
        return _text(plist.load_dict(bytes(body), max_bytes=LARGEST_STORED))
    except WireError:
        return ""


def _text(value: Any) -> str:
    return json.dumps(_shown(value), indent=2, ensure_ascii=False, default=str)[:MOST_SHOWN]


def _shown(value: Any) -> Any:
    match value:
        case dict():
            return {str(key): HIDDEN if key in SECRET_KEYS else _shown(inner) for key, inner in value.items()}
        case list():
            return [_shown(inner) for inner in value]
        case bytes() | bytearray():
            text = b64encode(value[:MOST_BYTES]).decode()
            return f"{text} ... ({len(value)} bytes)" if len(value) > MOST_BYTES else text
        case datetime():
            return value.isoformat()
    return value
