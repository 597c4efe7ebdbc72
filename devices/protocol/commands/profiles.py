from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileList:
    """https://developer.apple.com/documentation/devicemanagement/profile-list-command."""

    request_type: ClassVar[str] = "ProfileList"
    managed_only: bool = False

    @property
    def payload(self) -> dict[str, Any]:
        return {"ManagedOnly": True} if self.managed_only else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallProfile:
    """https://developer.apple.com/documentation/devicemanagement/install-profile-command."""

    request_type: ClassVar[str] = "InstallProfile"
    profile: bytes = field(repr=False)  # may hold passwords and keys

    @property
    def payload(self) -> dict[str, Any]:
        return {"Payload": self.profile}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveProfile:
    """https://developer.apple.com/documentation/devicemanagement/remove-profile-command.

    With the identifier of the enrollment profile it ends management, whatever the access rights.
    """

    request_type: ClassVar[str] = "RemoveProfile"
    identifier: str

    @property
    def payload(self) -> dict[str, Any]:
        return {"Identifier": self.identifier}
