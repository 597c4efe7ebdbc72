"""What an organization can see of a device and do to it, and what it cannot: read off the commands and queries.

Nothing is claimed here.  An item names the commands or queries that would tell or do it; whether one of them may go
to a device of that kind, with the access rights that are set, is asked as for any command.  An item without any names
what no command of Apple's device management does.

https://developer.apple.com/documentation/devicemanagement/commands_and_queries
"""

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from devices.protocol import commands, queries
from devices.protocol.commands.forbidden import FORBIDDEN
from devices.protocol.support import At, Facts, lacks_right, objection
from devices.protocol.target import Kind, Platform, Target
from epmm import options


@dataclass(frozen=True, slots=True)
class Item:
    """`means` are names of commands, or of queries of DeviceInformation; one of them is enough."""

    said: str | Promise
    means: tuple[str, ...] = ()
    where: frozenset[Platform] = frozenset(Platform)  # of no meaning elsewhere


IOS, MAC = frozenset({Platform.IOS}), frozenset({Platform.MACOS})
SEES: Final[tuple[Item, ...]] = (
    Item(_("Name and model of the device"), ("DeviceName", "ModelName")),
    Item(_("Version of the system"), ("OSVersion",)),
    Item(_("Free storage and battery level"), ("AvailableDeviceCapacity", "BatteryLevel")),
    Item(_("Serial number"), ("SerialNumber",)),
    Item(_("IMEI and other numbers that recognize the phone"), ("IMEI", "MEID"), IOS),
    Item(_("Network addresses (Wi-Fi, Bluetooth)"), ("WiFiMAC", "BluetoothMAC")),
    Item(_("Phone number and carrier"), ("PhoneNumber", "CurrentCarrierNetwork"), IOS),
    Item(_("Security: passcode set, encryption"), ("SecurityInfo",)),
    Item(_("Installed certificates"), ("CertificateList",)),
    Item(_("Installed settings"), ("ProfileList",)),
    Item(_("The work apps that your organization has installed"), ("ManagedApplicationList",)),
    Item(_("All apps on the device, the personal ones too"), ("InstalledApplicationList",)),
    Item(_("Users of the Mac"), ("UserList",), MAC),
    Item(_("Where the device is"), ("DeviceLocation",)),
    Item(_("Messages, mail, calls, contacts and calendars of yours")),
    Item(_("Photos and personal files")),
    Item(_("The pages that you visit with the browser, and your passwords")),
    Item(_("What you do in personal apps")),
)
DOES: Final[tuple[Item, ...]] = (
    Item(_("Install and remove work settings, such as Wi-Fi and mail"), ("InstallProfile",)),
    Item(_("Install work apps"), ("InstallApplication",)),
    Item(_("Set rules, such as a passcode"), ("DeclarativeManagement", "InstallProfile")),
    Item(_("Lock the screen"), ("DeviceLock",)),
    Item(_("Remove the passcode"), ("ClearPasscode",)),
    Item(_("Erase everything on the device"), ("EraseDevice",)),
    Item(_("Restart it or switch it off"), ("RestartDevice", "ShutDownDevice")),
    Item(_("Order an update of the system by command"), ("ScheduleOSUpdate",)),
    Item(_("Switch on Lost Mode and locate the device"), ("EnableLostMode",)),
    Item(_("Ask the device to mirror its screen to an AirPlay display"), ("RequestMirroring",)),
    Item(_("Switch on remote desktop"), ("EnableRemoteDesktop",), MAC),
    Item(_("Change your Apple Account, or read what is in it")),
)
# Asked of a device of one's own, it tells the work apps alone, which is another item.
ONLY_WORK: Final = frozenset({"InstalledApplicationList"})


@dataclass(frozen=True, slots=True)
class Reach:
    sees: tuple[Item, ...]
    sees_not: tuple[Item, ...]
    does: tuple[Item, ...]
    does_not: tuple[Item, ...]


def of(platform: Platform, kind: Kind, rights: int | None = None) -> Reach:
    """With the access rights that are set now; `rights` are those of an enrollment that stands already."""
    asked = options.access_rights() if rights is None else rights
    target = Target(platform=platform, kind=kind, access_rights=None if kind is Kind.AAUE else asked)
    sees, sees_not = _parted(SEES, target)
    does, does_not = _parted(DOES, target)
    return Reach(sees, sees_not, does, does_not)


def _parted(items: tuple[Item, ...], target: Target) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    fitting = [item for item in items if target.platform in item.where]
    can = {item for item in fitting if any(_is_allowed(name, target) for name in item.means)}
    return tuple(item for item in fitting if item in can), tuple(item for item in fitting if item not in can)


def _is_allowed(name: str, target: Target) -> bool:
    if target.kind is Kind.AAUE and name in ONLY_WORK:
        return False
    facts = _facts(name)
    at: At | None = facts.on(target.platform)
    return objection(name, at, target) is None and lacks_right(name, at.right if at else None, target) is None


def _facts(name: str) -> Facts:
    return queries.QUERIES.get(name) or FORBIDDEN.get(name) or commands.REGISTRY[name].facts
