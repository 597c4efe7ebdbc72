from dataclasses import dataclass
from typing import Any, ClassVar

from devices.protocol.commands.base import present


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclarativeManagement:
    """https://developer.apple.com/documentation/devicemanagement/declarative-management-command."""

    request_type: ClassVar[str] = "DeclarativeManagement"
    tokens: bytes | None = None  # the TokensResponse as JSON; without it the device asks for it

    @property
    def payload(self) -> dict[str, Any]:
        return present(Data=self.tokens)
