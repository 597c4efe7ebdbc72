"""What devices report in declarative management: every status item, and which of them are columns of the record.

A test compares the table with a checkout of Apple's schema (declarative/status/*.yaml, iOS 18.2).
"""

from collections.abc import Mapping
from typing import Any, Final

from devices.protocol.declarations.reach import EITHER, At, Facts, Holder, why_unreachable
from devices.protocol.reading import Reading, json_of
from devices.protocol.support import Channels, Reach
from devices.protocol.target import Kind
from epmm.wire.errors import WireError
from epmm.wire.plist import required

DEVICE, SUPERVISED = Reach.DEVICE, Reach.SUPERVISED
USER: Final = Channels.USER

STATUS_ITEMS: Final[dict[str, Facts]] = {
    "account.list.caldav": Facts(ios=At("16.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER),
    "account.list.carddav": Facts(ios=At("16.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER),
    "account.list.exchange": Facts(ios=At("16.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER),
    "account.list.google": Facts(ios=At("16.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER),
    "account.list.ldap": Facts(ios=At("16.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER),
    "account.list.mail.incoming": Facts(ios=At("16.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER),
    "account.list.mail.outgoing": Facts(ios=At("16.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER),
    "account.list.subscribed-calendar": Facts(ios=At("16.0"), macos=At("14.0"), visionos=At("1.1"), channels=USER),
    "app.managed.list": Facts(ios=At("17.2")),
    "device.identifier.serial-number": Facts(
        ios=At("16.0", DEVICE), macos=At("13.0", SUPERVISED), visionos=At("1.1", DEVICE), channels=EITHER
    ),
    "device.identifier.udid": Facts(
        ios=At("16.0", DEVICE), macos=At("13.0", SUPERVISED), visionos=At("1.1", DEVICE), channels=EITHER
    ),
    "device.model.family": Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER),
    "device.model.identifier": Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER),
    "device.model.marketing-name": Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER),
    "device.model.number": Facts(ios=At("17.0"), macos=At("14.0"), visionos=At("1.1"), channels=EITHER),
    "device.operating-system.build-version": Facts(
        ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER
    ),
    "device.operating-system.family": Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER),
    "device.operating-system.marketing-name": Facts(
        ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER
    ),
    "device.operating-system.supplemental.build-version": Facts(
        ios=At("16.1"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER
    ),
    "device.operating-system.supplemental.extra-version": Facts(
        ios=At("16.1"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER
    ),
    "device.operating-system.version": Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER),
    "device.power.battery-health": Facts(ios=At("17.0", DEVICE), macos=At("14.4", SUPERVISED)),
    "diskmanagement.filevault.enabled": Facts(macos=At("14.0", SUPERVISED)),
    "management.client-capabilities": Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER),
    "management.declarations": Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER),
    "mdm.app": Facts(ios=At("16.0"), visionos=At("1.1")),
    "passcode.is-compliant": Facts(ios=At("16.0"), visionos=At("1.1")),
    "passcode.is-present": Facts(ios=At("16.0"), visionos=At("1.1")),
    "screensharing.connection.group.unresolved-connection": Facts(macos=At("14.1"), channels=EITHER),
    "security.certificate.list": Facts(ios=At("17.0"), macos=At("14.0"), visionos=At("1.1"), channels=EITHER),
    "services.background-task": Facts(macos=At("14.0", SUPERVISED)),
    "softwareupdate.beta-enrollment": Facts(ios=At("18.0", DEVICE), macos=At("15.0", SUPERVISED)),
    "softwareupdate.device-id": Facts(ios=At("18.0", DEVICE), macos=At("15.0", SUPERVISED)),
    "softwareupdate.failure-reason": Facts(ios=At("17.0", DEVICE), macos=At("14.0", SUPERVISED)),
    "softwareupdate.install-reason": Facts(ios=At("17.0", DEVICE), macos=At("14.0", SUPERVISED)),
    "softwareupdate.install-state": Facts(ios=At("17.0", DEVICE), macos=At("14.0", SUPERVISED)),
    "softwareupdate.pending-version": Facts(ios=At("17.0", DEVICE), macos=At("14.0", SUPERVISED)),
}
DECLARATIONS: Final = "management.declarations"
CAPABILITIES: Final = "management.client-capabilities"
# Reported without a subscription.
ALWAYS: Final = frozenset({DECLARATIONS, CAPABILITIES})
# Of a user's own device nothing is kept that would recognize it, even if it should say it.
PERSONAL: Final = frozenset({"device.identifier.serial-number", "device.identifier.udid"})

# The column of the record, its type, and how much text it holds.
COLUMNS: Final[dict[str, tuple[str, type[str] | type[bool], int]]] = {
    "device.identifier.serial-number": ("serial_number", str, 64),
    "device.model.identifier": ("product_name", str, 64),
    "device.operating-system.version": ("os_version", str, 32),
    "device.operating-system.build-version": ("build_version", str, 32),
    "passcode.is-compliant": ("passcode_is_compliant", bool, 0),
    "passcode.is-present": ("passcode_present", bool, 0),
    "diskmanagement.filevault.enabled": ("filevault_enabled", bool, 0),
    "softwareupdate.install-state": ("os_update_status", str, 32),
}
# Without a column of their own, and short enough to stand with the record.
DETAILS: Final = frozenset(
    {
        "device.model.family",
        "device.model.marketing-name",
        "device.model.number",
        "device.operating-system.family",
        "device.operating-system.marketing-name",
        "device.operating-system.supplemental.build-version",
        "device.operating-system.supplemental.extra-version",
        "device.power.battery-health",
        "softwareupdate.beta-enrollment",
        "softwareupdate.device-id",
        "softwareupdate.failure-reason",
        "softwareupdate.install-reason",
        "softwareupdate.pending-version",
    }
)
MANAGED: Final = "mdm.app"
DECLARED: Final = "app.managed.list"
CERTIFICATES: Final = "security.certificate.list"
# They feed the tables of what is on a device.
LISTS: Final = frozenset({MANAGED, DECLARED, CERTIFICATES})
_PLACED: Final = DETAILS | LISTS | PERSONAL | COLUMNS.keys()


def subscribed(holder: Holder) -> list[str]:
    """What EPMM subscribes to on this channel: what has a place here, is allowed, and the device says it has.

    Not the accounts of people, the hundreds of background tasks of a Mac and its unresolved screen sharing groups: no
    table holds them and no page shows them.  Nor a list that a user of a Mac would tell: the tables are the Mac's.
    """
    placed = _PLACED - LISTS if holder.user_channel else _PLACED
    told = holder.capabilities.status_items if holder.capabilities else placed
    return sorted(name for name in placed & told if why_unreachable(name, STATUS_ITEMS[name], holder) is None)


def personal(path: str, kind: Kind) -> bool:
    return kind is Kind.AAUE and path in PERSONAL


def read_status(items: Mapping[str, Any], kind: Kind) -> Reading:
    """From status items by path to the columns of the record; what does not fit stays beside them."""
    fields: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for path, value in items.items():
        if personal(path, kind):
            continue
        if path == "device.identifier.udid":
            rest["UDID"] = value  # as DeviceInformation names it: the record compares it with the enrollment
        elif (found := _column(path, items)) is not None:
            fields[found[0]] = found[1]
        elif path in DETAILS or path in COLUMNS:
            rest[path] = value
    return Reading(fields=fields, rest=json_of(rest))


def _column(path: str, items: Mapping[str, Any]) -> tuple[str, str | bool] | None:
    if path not in COLUMNS:
        return None
    column, kind, longest = COLUMNS[path]
    try:
        return column, required(items, path, kind, longest=longest)
    except WireError:
        return None
