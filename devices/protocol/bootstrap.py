"""The bootstrap token: a secret that a device leaves with its server."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from devices.protocol.sender import Sender
from epmm.wire.plist import dump, optional


@dataclass(frozen=True, slots=True, kw_only=True)
class SetBootstrapToken:
    """https://developer.apple.com/documentation/devicemanagement/set-bootstrap-token"""

    sender: Sender
    token: bytes | None = field(repr=False)  # None: delete the one you have
    awaiting_configuration: bool = False

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> Self:
        return cls(
            sender=Sender.parse(source),
            token=optional(source, "BootstrapToken", bytes) or None,  # missing and empty both mean "delete"
            awaiting_configuration=optional(source, "AwaitingConfiguration", bool) or False,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GetBootstrapToken:
    """https://developer.apple.com/documentation/devicemanagement/get-bootstrap-token"""

    sender: Sender
    awaiting_configuration: bool = False

    @classmethod
    def parse(cls, source: Mapping[str, Any]) -> Self:
        return cls(
            sender=Sender.parse(source),
            awaiting_configuration=optional(source, "AwaitingConfiguration", bool) or False,
        )


def render_bootstrap_token(token: bytes | None) -> bytes:
    """The answer to GetBootstrapToken; no token is empty data, never an error."""
    return dump({"BootstrapToken": token or b""})
