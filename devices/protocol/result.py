"""What a device sends to the command URL: it is idle, or answers the command that it was given.

https://developer.apple.com/documentation/devicemanagement/sending-mdm-commands-to-a-device
"""

from enum import StrEnum
from typing import NamedTuple, Self
from uuid import UUID

from devices.protocol.sender import Sender
from devices.protocol.toplevel import TopLevel, read_top_level
from epmm.wire.errors import WireError
from epmm.wire.plist import optional, required


class Status(StrEnum):
    IDLE = "Idle"
    ACKNOWLEDGED = "Acknowledged"
    ERROR = "Error"
    COMMAND_FORMAT_ERROR = "CommandFormatError"
    NOT_NOW = "NotNow"


_STATUSES = {status.value: status for status in Status}


class ConnectMessage(NamedTuple):
    sender: Sender
    status: Status
    command: UUID | None = None  # None: no command of ours can be meant

    @classmethod
    def parse(cls, source: TopLevel) -> Self:
        status = _STATUSES.get(required(source, "Status", str))
        if status is None:
            raise WireError("Status: unknown")
        return cls(
            sender=Sender.parse(source),
            status=status,
            command=None if status is Status.IDLE else _uuid(optional(source, "CommandUUID", str)),
        )


def decode_connect(raw: bytes) -> ConnectMessage:
    return ConnectMessage.parse(read_top_level(raw))


def _uuid(text: str | None) -> UUID | None:
    """A text that is no UUID names a command of someone else's, as harmless as any unknown one."""
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
