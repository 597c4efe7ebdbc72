"""Settings of a device, several in one command."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final

from devices.protocol.commands.applications import ATTRIBUTES
from devices.protocol.commands.base import Command, command
from devices.protocol.commands.keys import ITEM, Key, choices, data, flag, number, table, text, texts
from devices.protocol.reading import kept
from devices.protocol.sentence import sentence as _
from devices.protocol.support import ANY, DEVICE, EITHER, SHARED_IPAD, SUPERVISED, At, Facts, Right
from devices.protocol.target import Target

APPS: Final = Right.APP_MANAGEMENT


def _item(name: str, *keys: Key, **limits: Any) -> Key:
    return table(name, text(ITEM, name, needed=True), *keys, **limits)


ITEMS: Final = (
    _item(
        "Wallpaper",
        data("Image", needed=True),
        number("Where", 1, 2, 3, needed=True),
        ios=At("8.0", SUPERVISED),
        macos=None,
        visionos=None,
    ),
    _item("DataRoaming", flag("Enabled", needed=True), ios=At("", DEVICE), macos=None, visionos=None),
    _item("VoiceRoaming", flag("Enabled", needed=True), ios=At("", DEVICE), macos=None, visionos=None),
    _item(
        "PersonalHotspot",
        flag("Enabled", needed=True),
        ios=At("", DEVICE, Right.NETWORK_INFORMATION),
        macos=None,
        visionos=None,
    ),
    _item(
        "Bluetooth",
        flag("Enabled", needed=True),
        ios=At("11.3", SUPERVISED),
        macos=At("10.13.4", DEVICE),
        visionos=None,
    ),
    _item(
        "ApplicationConfiguration",
        text("Identifier", needed=True),
        table("Configuration", secret=True),
        ios=At("7.0", ANY, APPS),
        macos=At("10.15", ANY, APPS, on_user_channel=False),
        visionos=At("", ANY, APPS),
    ),
    _item(
        "ApplicationAttributes",
        text("Identifier", needed=True),
        table("Attributes", *ATTRIBUTES),
        ios=At("7.0", ANY, APPS),
        macos=None,
        visionos=At("", ANY, APPS),
    ),
    _item(
        "DeviceName",
        text("DeviceName", needed=True),
        ios=At("", SUPERVISED),
        macos=At("10.10", DEVICE),
        visionos=At("2.0", SUPERVISED),
    ),
    _item("HostName", text("HostName", needed=True), ios=None, macos=At("10.11", DEVICE), visionos=None),
    _item(
        "OrganizationInfo",
        table(
            "OrganizationInfo",
            text("OrganizationName", needed=True),
            text("OrganizationShortName", ios=At("13.0"), macos=At("10.15")),
            text("OrganizationAddress"),
            text("OrganizationPhone"),
            text("OrganizationEmail"),
            text("OrganizationMagic"),
        ),
        macos=At("10.9"),
    ),
    _item("DefaultApplications", text("WebBrowser"), ios=At("18.2", DEVICE), macos=None, visionos=At("2.2", DEVICE)),
    _item(
        "MDMOptions",
        table(
            "MDMOptions",
            flag("ActivationLockAllowedWhileSupervised"),
            flag("BootstrapTokenAllowed", ios=None, macos=At("10.15", DEVICE), visionos=None),
            flag("PromptUserToAllowBootstrapTokenForAuthentication", ios=None, macos=At("11.0"), visionos=None),
            needed=True,
        ),
        ios=At("7.0"),
        macos=At("10.15", DEVICE),
        visionos=At("2.0"),
    ),
    _item(
        "MaximumResidentUsers",
        number("MaximumResidentUsers", needed=True),
        ios=At("9.3", SHARED_IPAD),
        macos=None,
        visionos=None,
    ),
    _item(
        "SharedDeviceConfiguration",
        number("QuotaSize"),
        number("ResidentUsers"),
        number("UserSessionTimeout", ios=At("14.5")),
        number("TemporarySessionTimeout", ios=At("14.5")),
        flag("TemporarySessionOnly", ios=At("14.5")),
        texts("ManagedAppleIDDefaultDomains", ios=At("16.0")),
        number("OnlineAuthenticationGracePeriod", ios=At("16.0")),
        flag("SkipLanguageAndLocaleSetupForNewUsers", ios=At("16.2")),
        table("AwaitUserConfiguration", flag("Enabled", needed=True), ios=At("17.0")),
        table(
            "PasscodePolicy",
            number("PasscodeLockGracePeriod", 0, 60, 300, 900, 3600, 14400),
            number("AutoLockTime"),
            ios=At("17.0"),
        ),
        ios=At("13.4", SHARED_IPAD),
        macos=None,
        visionos=None,
    ),
    _item("DiagnosticSubmission", flag("Enabled", needed=True), ios=At("9.3", SHARED_IPAD), macos=None, visionos=None),
    _item("AppAnalytics", flag("Enabled", needed=True), ios=At("9.3.2", SHARED_IPAD), macos=None, visionos=None),
    _item(
        "PasscodeLockGracePeriod",
        number("PasscodeLockGracePeriod", 0, 60, 300, 900, 3600, 14400, needed=True),
        ios=At("9.3.2", SHARED_IPAD),
        macos=None,
        visionos=None,
    ),
    _item(
        "TimeZone",
        text("TimeZone", needed=True),
        ios=At("14.0", SUPERVISED),
        macos=None,
        visionos=At("2.0", SUPERVISED),
    ),
    _item(
        "SoftwareUpdateSettings",
        number("RecommendationCadence", 0, 1, 2, needed=True),
        ios=At("14.5", SUPERVISED),
        macos=None,
        visionos=None,
    ),
    _item(
        "AccessibilitySettings",
        flag("BoldTextEnabled"),
        flag("IncreaseContrastEnabled"),
        flag("ReduceMotionEnabled"),
        flag("ReduceTransparencyEnabled"),
        number("TextSize", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
        flag("TouchAccommodationsEnabled"),
        flag("VoiceOverEnabled"),
        flag("ZoomEnabled"),
        flag("GrayscaleEnabled", ios=None),
        ios=At("16.0", SUPERVISED),
        macos=None,
        visionos=None,
    ),
)


@command
class Settings(Command):
    """https://developer.apple.com/documentation/devicemanagement/settings-command."""

    facts: ClassVar = Facts(
        ios=At("5.0", ANY, Right.SETTINGS),
        macos=At("10.9", ANY, Right.SETTINGS),
        visionos=At("1.1", ANY, Right.SETTINGS),
        channels=EITHER,
    )
    reads: ClassVar = kept("Settings")

    settings: Annotated[tuple[Mapping[str, Any], ...], choices("Settings", *ITEMS, secret=True)]

    def objection(self, target: Target) -> str | None:
        del target
        return None if self.settings else _("Settings needs at least one item.")
