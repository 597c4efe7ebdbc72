"""Declarative management as it rides on check-in.

https://developer.apple.com/documentation/devicemanagement/declarativemanagementrequest
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from devices.protocol.declarations.reach import DeclarationKind
from devices.protocol.sender import Sender
from epmm.wire.errors import WireError
from epmm.wire.plist import optional, required

ENDPOINT: Final = 255  # `declaration/configuration/` and an identifier of at most 64 octets
TOKENS: Final = "tokens"
DECLARATION_ITEMS: Final = "declaration-items"
DECLARATION: Final = "declaration"
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


def read_declaration_endpoint(endpoint: str) -> tuple[DeclarationKind, str]:
    """Kind and identifier of `declaration/{kind}/{identifier}`."""
    name, _, rest = endpoint.partition("/")
    kind, _, identifier = rest.partition("/")
    if name != DECLARATION or kind not in set(DeclarationKind) or not identifier:
        raise WireError("Endpoint: unknown")
    return DeclarationKind(kind), identifier
