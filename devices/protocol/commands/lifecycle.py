"""Lock, restart, erase."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

from devices.protocol.commands.base import URGENT, Command, command
from devices.protocol.commands.keys import data, flag, table, text, texts
from devices.protocol.reading import kept
from devices.protocol.sentence import sentence as _
from devices.protocol.support import ANY, DEVICE, SUPERVISED, At, Facts, Right
from devices.protocol.target import Target

MAC_PIN_LENGTH: Final = 6  # DeviceLock and EraseDevice: "The six-character PIN for Find My"


@command
class DeviceLock(Command):
    """https://developer.apple.com/documentation/devicemanagement/device-lock-command."""

    priority: ClassVar = URGENT
    facts: ClassVar = Facts(
        ios=At("4.0", ANY, Right.LOCK), macos=At("10.7", DEVICE, Right.LOCK), visionos=At("2.0", ANY, Right.LOCK)
    )
    reads: ClassVar = kept("MessageResult")

    message: Annotated[str | None, text("Message", ios=At("7.0"), macos=At("10.14"), visionos=None)] = None
    phone_number: Annotated[str | None, text("PhoneNumber", ios=At("7.0"), macos=At("11.5"), visionos=None)] = None
    # needed to unlock the Mac again
    pin: Annotated[str | None, text("PIN", secret=True, ios=None, macos=At("10.8"), visionos=None)] = None

    def objection(self, target: Target) -> str | None:
        del target
        return _pin("DeviceLock", self.pin)


@command
class RestartDevice(Command):
    """https://developer.apple.com/documentation/devicemanagement/restart-device-command."""

    facts: ClassVar = Facts(ios=At("10.3", SUPERVISED, Right.LOCK), macos=At("10.13", DEVICE, Right.LOCK))

    rebuild_kernel_cache: Annotated[bool, flag("RebuildKernelCache", ios=None, macos=At("11.0"))] = False
    kext_paths: Annotated[tuple[str, ...] | None, texts("KextPaths", ios=None, macos=At("11.0"))] = None
    notify_user: Annotated[bool, flag("NotifyUser", ios=None, macos=At("11.4"))] = False


@command
class ShutDownDevice(Command):
    """https://developer.apple.com/documentation/devicemanagement/shut-down-device-command."""

    facts: ClassVar = Facts(ios=At("10.3", SUPERVISED, Right.LOCK), macos=At("10.13", DEVICE, Right.LOCK))


@command
class EraseDevice(Command):
    """https://developer.apple.com/documentation/devicemanagement/erase-device-command."""

    priority: ClassVar = URGENT
    facts: ClassVar = Facts(
        ios=At("4.0", DEVICE, Right.ERASE),
        macos=At("10.7", DEVICE, Right.ERASE),
        visionos=At("1.1", DEVICE, Right.ERASE),
    )

    preserve_data_plan: Annotated[bool, flag("PreserveDataPlan", ios=At("11.0"), macos=None, visionos=None)] = False
    disallow_proximity_setup: Annotated[
        bool, flag("DisallowProximitySetup", ios=At("11.3"), macos=None, visionos=None)
    ] = False
    pin: Annotated[str | None, text("PIN", secret=True, ios=None, macos=At("10.8"), visionos=None)] = None
    obliteration_behavior: Annotated[
        str | None,
        text(
            "ObliterationBehavior",
            "Default",
            "DoNotObliterate",
            "ObliterateWithWarning",
            "Always",
            ios=None,
            macos=At("12.0"),
            visionos=None,
        ),
    ] = None
    return_to_service: Annotated[
        Mapping[str, Any] | None,
        table(
            "ReturnToService",
            flag("Enabled", needed=True),
            data("WiFiProfileData", secret=True),
            data("MDMProfileData", secret=True),
            secret=True,
            ios=At("17.0"),
            macos=None,
            visionos=None,
        ),
    ] = None

    def objection(self, target: Target) -> str | None:
        """Only an automated device enrollment could fetch its profile again by itself."""
        del target
        service = self.return_to_service or {}
        if service.get("Enabled") and "MDMProfileData" not in service:
            return _(
                "The key ReturnToService of EraseDevice needs the key MDMProfileData: this device cannot enroll itself."
            )
        return _pin("EraseDevice", self.pin)


@command
class RefreshCellularPlans(Command):
    """https://developer.apple.com/documentation/devicemanagement/refresh-cellular-plans-command."""

    facts: ClassVar = Facts(ios=At("13.0", DEVICE))

    esim_server_url: Annotated[str, text("eSIMServerURL")]


def _pin(command: str, pin: str | None) -> str | None:
    if pin is None or len(pin) == MAC_PIN_LENGTH:
        return None
    return _("The PIN of {command} has {n} characters.", command=command, n=MAC_PIN_LENGTH)
