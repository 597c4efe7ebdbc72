"""Lock, restart, erase."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from devices.protocol.commands.base import present


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceLock:
    """https://developer.apple.com/documentation/devicemanagement/lock-device-command."""

    request_type: ClassVar[str] = "DeviceLock"
    message: str | None = None
    phone_number: str | None = None
    pin: str | None = field(default=None, repr=False)  # a Mac's: it is needed to unlock the Mac again

    @property
    def payload(self) -> dict[str, Any]:
        return present(Message=self.message, PhoneNumber=self.phone_number, PIN=self.pin)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartDevice:
    """https://developer.apple.com/documentation/devicemanagement/restart-device-command."""

    request_type: ClassVar[str] = "RestartDevice"
    notify_user: bool = False

    @property
    def payload(self) -> dict[str, Any]:
        return present(NotifyUser=self.notify_user or None)


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseDevice:
    """https://developer.apple.com/documentation/devicemanagement/erase-device-command.

    What cannot be undone has no convenience: ReturnToService and its like are for whoever writes the payload down.
    """

    request_type: ClassVar[str] = "EraseDevice"
    pin: str | None = field(default=None, repr=False)
    preserve_data_plan: bool = False

    @property
    def payload(self) -> dict[str, Any]:
        return present(PIN=self.pin, PreserveDataPlan=self.preserve_data_plan or None)
