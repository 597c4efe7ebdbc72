"""Every declaration type of Apple's schema, and where it may go: iOS 18.2 to 26.4.

A test compares this table with both checkouts of the schema; where they differ, the newer one counts.
"""

from typing import Final

from devices.protocol.declarations.reach import EITHER, At, Facts
from devices.protocol.support import Channels, Reach

DEVICE, SUPERVISED = Reach.DEVICE, Reach.SUPERVISED
USER: Final = Channels.USER

TYPES: Final[dict[str, Facts]] = {
    "com.apple.activation.simple": Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER),
    "com.apple.asset.credential.acme": Facts(ios=At("17.0"), macos=At("14.0"), visionos=At("1.1"), channels=EITHER),
    "com.apple.asset.credential.certificate": Facts(
        ios=At("17.0"), macos=At("14.0"), visionos=At("1.1"), channels=EITHER
    ),
    "com.apple.asset.credential.identity": Facts(ios=At("17.0"), macos=At("14.0"), visionos=At("1.1"), channels=EITHER),
    "com.apple.asset.credential.scep": Facts(ios=At("17.0"), macos=At("14.0"), visionos=At("1.1"), channels=EITHER),
    "com.apple.asset.credential.userpassword": Facts(
        ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER
    ),
    "com.apple.asset.data": Facts(ios=At("17.0"), macos=At("14.0"), visionos=At("1.1"), channels=EITHER),
    "com.apple.asset.useridentity": Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER),
    "com.apple.configuration.account.caldav": Facts(
        ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER
    ),
    "com.apple.configuration.account.carddav": Facts(
        ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER
    ),
    "com.apple.configuration.account.exchange": Facts(
        ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER
    ),
    "com.apple.configuration.account.google": Facts(
        ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER
    ),
    "com.apple.configuration.account.ldap": Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER),
    "com.apple.configuration.account.mail": Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=USER),
    "com.apple.configuration.account.subscribed-calendar": Facts(
        ios=At("15.0"), macos=At("14.0"), visionos=At("1.1"), channels=USER
    ),
    "com.apple.configuration.app.managed": Facts(ios=At("17.2"), macos=At("26.0"), visionos=At("2.4"), channels=EITHER),
    "com.apple.configuration.audio-accessory.settings": Facts(ios=At("26.0", SUPERVISED)),
    "com.apple.configuration.diskmanagement.settings": Facts(macos=At("15.0", SUPERVISED)),
    "com.apple.configuration.external-intelligence.settings": Facts(
        ios=At("26.4", SUPERVISED), macos=At("26.4", SUPERVISED), visionos=At("26.4", SUPERVISED), channels=EITHER
    ),
    "com.apple.configuration.intelligence.settings": Facts(
        ios=At("26.4", SUPERVISED), macos=At("26.4", SUPERVISED), visionos=At("26.4", SUPERVISED), channels=EITHER
    ),
    "com.apple.configuration.keyboard.settings": Facts(
        ios=At("26.4", SUPERVISED), macos=At("26.4", SUPERVISED), channels=EITHER
    ),
    "com.apple.configuration.legacy": Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER),
    "com.apple.configuration.legacy.interactive": Facts(
        ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER
    ),
    "com.apple.configuration.management.status-subscriptions": Facts(
        ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER
    ),
    "com.apple.configuration.management.test": Facts(
        ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER
    ),
    "com.apple.configuration.math.settings": Facts(
        ios=At("18.0", SUPERVISED), macos=At("15.0", SUPERVISED), channels=USER
    ),
    "com.apple.configuration.migration-assistant.settings": Facts(macos=At("26.4", SUPERVISED)),
    "com.apple.configuration.package": Facts(macos=At("26.0", SUPERVISED)),
    "com.apple.configuration.passcode.settings": Facts(
        ios=At("15.0"), macos=At("13.0", SUPERVISED), visionos=At("2.0"), channels=EITHER
    ),
    "com.apple.configuration.safari.bookmarks": Facts(
        ios=At("26.0", DEVICE), macos=At("26.0", SUPERVISED), visionos=At("26.0", DEVICE), channels=USER
    ),
    "com.apple.configuration.safari.extensions.settings": Facts(
        ios=At("18.0", SUPERVISED), macos=At("15.0", SUPERVISED), visionos=At("26.0", SUPERVISED), channels=USER
    ),
    "com.apple.configuration.safari.settings": Facts(
        ios=At("26.0", DEVICE), macos=At("26.0", SUPERVISED), visionos=At("26.0", DEVICE), channels=USER
    ),
    "com.apple.configuration.screensharing.connection": Facts(macos=At("14.0"), channels=EITHER),
    "com.apple.configuration.screensharing.connection.group": Facts(macos=At("14.0"), channels=EITHER),
    "com.apple.configuration.screensharing.host.settings": Facts(macos=At("14.0", SUPERVISED)),
    "com.apple.configuration.security.certificate": Facts(
        ios=At("17.0"), macos=At("14.0"), visionos=At("1.1"), channels=EITHER
    ),
    "com.apple.configuration.security.identity": Facts(
        ios=At("17.0"), macos=At("14.0"), visionos=At("1.1"), channels=EITHER
    ),
    "com.apple.configuration.security.passkey.attestation": Facts(
        ios=At("17.0", DEVICE), macos=At("14.0", SUPERVISED), channels=USER
    ),
    "com.apple.configuration.services.background-tasks": Facts(macos=At("15.0", SUPERVISED)),
    "com.apple.configuration.services.configuration-files": Facts(macos=At("14.0", SUPERVISED)),
    "com.apple.configuration.siri.settings": Facts(
        ios=At("26.4", SUPERVISED), macos=At("26.4", SUPERVISED), visionos=At("26.4", SUPERVISED), channels=EITHER
    ),
    "com.apple.configuration.softwareupdate.enforcement.specific": Facts(
        ios=At("17.0", DEVICE), macos=At("14.0", SUPERVISED), visionos=At("26.0", DEVICE)
    ),
    "com.apple.configuration.softwareupdate.settings": Facts(
        ios=At("18.0", DEVICE), macos=At("15.0", SUPERVISED), visionos=At("26.0", DEVICE)
    ),
    "com.apple.configuration.watch.enrollment": Facts(ios=At("17.0", SUPERVISED)),
    "com.apple.management.organization-info": Facts(
        ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER
    ),
    "com.apple.management.properties": Facts(ios=At("16.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER),
    "com.apple.management.server-capabilities": Facts(
        ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER
    ),
}
