from dataclasses import dataclass
from typing import Any, ClassVar, Self

from devices.protocol.commands.base import Kind, Target, present


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledApplicationList:
    """https://developer.apple.com/documentation/devicemanagement/installed-application-list-command."""

    request_type: ClassVar[str] = "InstalledApplicationList"
    managed_apps_only: bool = False
    identifiers: tuple[str, ...] = ()
    items: tuple[str, ...] = ()

    @classmethod
    def for_target(cls, target: Target) -> Self:
        """On a device of the user's own the other apps are none of our business: we do not even ask."""
        return cls(managed_apps_only=target.kind is Kind.AAUE)

    @property
    def payload(self) -> dict[str, Any]:
        return present(
            ManagedAppsOnly=self.managed_apps_only or None,
            Identifiers=list(self.identifiers) or None,
            Items=list(self.items) or None,
        )
