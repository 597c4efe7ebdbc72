"""What every command has, and what decides whether it may go somewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from epmm.wire import plist
from epmm.wire.errors import WireError


class Platform(StrEnum):
    IOS = "iOS"  # and iPadOS
    MACOS = "macOS"
    VISIONOS = "visionOS"


class Kind(StrEnum):
    ADDE = "adde"
    AAUE = "aaue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a command is to go: the channel of an enrollment."""

    platform: Platform
    kind: Kind
    user_channel: bool = False
    access_rights: int | None = None  # what the profile asked for; user enrollments have none
    profile_identifier: str = ""  # of the enrollment profile


class Request(Protocol):
    """The `Command` dictionary of one command.

    https://developer.apple.com/documentation/devicemanagement/commands_and_queries
    """

    @property
    def request_type(self) -> str: ...

    @property
    def payload(self) -> Mapping[str, Any]:
        """Its keys besides RequestType."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyRequest:
    """A command by its name, with whatever keys somebody wrote down."""

    request_type: str
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)  # may hold a PIN or a password


def render(request: Request, command_uuid: UUID) -> bytes:
    """What the device gets.  Apple's examples write the UUID in capitals; it comes back as it was sent."""
    command = {"RequestType": request.request_type, **request.payload}
    try:
        return plist.dump({"CommandUUID": str(command_uuid).upper(), "Command": command})
    except (TypeError, ValueError, OverflowError) as error:
        raise WireError("payload has no form as a property list") from error


def present(**keys: Any) -> dict[str, Any]:
    """The keys that were given: an optional key that is left out stays out."""
    return {key: value for key, value in keys.items() if value is not None}
