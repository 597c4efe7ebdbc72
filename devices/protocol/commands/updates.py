"""Updates of the system."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from devices.protocol import system
from devices.protocol.commands.base import Command, command
from devices.protocol.commands.keys import array, flag, number, table, text
from devices.protocol.reading import kept
from devices.protocol.sentence import sentence as _
from devices.protocol.support import DEVICE, SUPERVISED, At, Facts, Right
from devices.protocol.target import Target


@command
class AvailableOSUpdates(Command):
    """https://developer.apple.com/documentation/devicemanagement/available-os-updates-command."""

    facts: ClassVar = Facts(ios=At("9.0", SUPERVISED, Right.APP_MANAGEMENT), macos=At("10.11", DEVICE))
    reads: ClassVar = system.UPDATES


@command
class ScheduleOSUpdate(Command):
    """https://developer.apple.com/documentation/devicemanagement/schedule-os-update-command."""

    facts: ClassVar = Facts(ios=At("9.0", SUPERVISED, Right.APP_MANAGEMENT), macos=At("10.11", SUPERVISED))
    reads: ClassVar = kept("UpdateResults")

    updates: Annotated[
        tuple[Mapping[str, Any], ...],
        array(
            "Updates",
            table(
                "",
                text("ProductKey"),
                text("ProductVersion", ios=At("11.3"), macos=At("12.0")),
                text(
                    "InstallAction",
                    "Default",
                    "DownloadOnly",
                    "InstallASAP",
                    "NotifyOnly",
                    "InstallLater",
                    "InstallForceRestart",
                    needed=True,
                ),
                number("MaxUserDeferrals", ios=None, macos=At("12.0")),
                text("Priority", "Low", "High", ios=None, macos=At("12.3")),
            ),
        ),
    ]

    def objection(self, target: Target) -> str | None:
        del target
        if not self.updates:
            return _("ScheduleOSUpdate needs at least one update.")
        if any("ProductKey" not in update and "ProductVersion" not in update for update in self.updates):
            return _("Each of the Updates of ScheduleOSUpdate needs one of the keys ProductKey and ProductVersion.")
        return None


@command
class ScheduleOSUpdateScan(Command):
    """https://developer.apple.com/documentation/devicemanagement/schedule-os-update-scan-command."""

    facts: ClassVar = Facts(macos=At("10.11", SUPERVISED))
    reads: ClassVar = kept("ScanInitiated")

    force: Annotated[bool, flag("Force")] = False


@command
class OSUpdateStatus(Command):
    """https://developer.apple.com/documentation/devicemanagement/os-update-status-command."""

    facts: ClassVar = Facts(ios=At("9.0", SUPERVISED, Right.APP_MANAGEMENT), macos=At("10.11.5", SUPERVISED))
    reads: ClassVar = kept("OSUpdateStatus")
