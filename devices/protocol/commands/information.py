"""Asking a device about itself."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from devices.protocol.commands.base import Target
from devices.protocol.commands.queries import queries_for


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceInformation:
    """https://developer.apple.com/documentation/devicemanagement/device-information-command."""

    request_type: ClassVar[str] = "DeviceInformation"
    queries: tuple[str, ...]

    @classmethod
    def for_target(cls, target: Target) -> Self:
        """Everything that an enrollment of this kind may ask on this platform and channel."""
        return cls(queries=queries_for(target))

    @property
    def payload(self) -> dict[str, Any]:
        return {"Queries": list(self.queries)}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityInfo:
    """https://developer.apple.com/documentation/devicemanagement/security-info-command."""

    request_type: ClassVar[str] = "SecurityInfo"

    @property
    def payload(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateList:
    """https://developer.apple.com/documentation/devicemanagement/certificate-list-command."""

    request_type: ClassVar[str] = "CertificateList"
    managed_only: bool = False

    @property
    def payload(self) -> dict[str, Any]:
        return {"ManagedOnly": True} if self.managed_only else {}
