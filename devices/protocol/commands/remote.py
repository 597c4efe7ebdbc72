"""The screen of a device, and a Mac from afar."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

from devices.protocol.commands.base import Command, command
from devices.protocol.commands.keys import array, number, table, text, texts
from devices.protocol.reading import kept
from devices.protocol.sentence import gettext_noop, sentence
from devices.protocol.support import DEVICE, SUPERVISED, At, Facts, Right
from devices.protocol.target import Target

SCAN_SECONDS: Final = range(10, 301)


@command
class RequestMirroring(Command):
    """https://developer.apple.com/documentation/devicemanagement/request-mirroring-command."""

    facts: ClassVar = Facts(ios=At("7.0"), macos=At("10.10"))
    reads: ClassVar = kept("MirroringResult")

    destination_name: Annotated[str | None, text("DestinationName")] = None
    destination_device_id: Annotated[str | None, text("DestinationDeviceID")] = None
    scan_time: Annotated[int | None, number("ScanTime")] = None
    password: Annotated[str | None, text("Password", secret=True)] = None

    def objection(self, target: Target) -> str | None:
        del target
        if self.scan_time is not None and self.scan_time not in SCAN_SECONDS:
            told = gettext_noop("The key ScanTime of RequestMirroring is {low} to {high} seconds.")
            return sentence(told, low=SCAN_SECONDS[0], high=SCAN_SECONDS[-1])
        return None


@command
class StopMirroring(Command):
    """https://developer.apple.com/documentation/devicemanagement/stop-mirroring-command."""

    facts: ClassVar = Facts(ios=At("7.0", SUPERVISED), macos=At("10.10", DEVICE))


@command
class EnableRemoteDesktop(Command):
    """https://developer.apple.com/documentation/devicemanagement/enable-remote-desktop-command."""

    facts: ClassVar = Facts(macos=At("10.14.4", SUPERVISED))


@command
class DisableRemoteDesktop(Command):
    """https://developer.apple.com/documentation/devicemanagement/disable-remote-desktop-command."""

    facts: ClassVar = Facts(macos=At("10.14.4", SUPERVISED))


@command
class LOMSetupRequest(Command):
    """https://developer.apple.com/documentation/devicemanagement/lom-setup-request-command."""

    facts: ClassVar = Facts(macos=At("11.0", DEVICE, Right.LOCK))
    reads: ClassVar = kept("PrimaryIPv6AddressList", "SecondaryIPv6AddressList", "LOMProtocolVersion")


@command
class LOMDeviceRequest(Command):
    """https://developer.apple.com/documentation/devicemanagement/lom-device-request-command."""

    facts: ClassVar = Facts(macos=At("11.0", DEVICE, Right.LOCK))
    reads: ClassVar = kept("ResponseList")

    request_list: Annotated[
        tuple[Mapping[str, Any], ...],
        array(
            "RequestList",
            table(
                "",
                text("DeviceRequestType", "PowerON", "PowerOFF", "Reset", needed=True),
                text("DeviceRequestUUID", needed=True),
                text("DeviceDNSName", needed=True),
                texts("PrimaryIPv6AddressList", needed=True),
                texts("SecondaryIPv6AddressList", needed=True),
                number("LOMProtocolVersion", needed=True),
            ),
        ),
    ]
