"""What DeviceInformation may ask, by platform and kind of enrollment.

From Apple's schema, mdm/commands/information.device.yaml; a test compares this table with it.
"""

from typing import Final

from devices.protocol.sentence import sentence as _
from devices.protocol.support import (
    ANY,
    AUTOMATED,
    DEVICE,
    SHARED_IPAD,
    SUPERVISED,
    At,
    Facts,
    Reach,
    Right,
    lacks_right,
    objection,
)
from devices.protocol.target import Platform, Target

INFO, NETWORK, APPS = Right.DEVICE_INFORMATION, Right.NETWORK_INFORMATION, Right.APP_MANAGEMENT
EVERYBODY, DEVICES = At("", ANY, INFO), At("", DEVICE, INFO)

QUERIES: Final[dict[str, Facts]] = {
    "UDID": Facts(ios=At("", DEVICE), macos=At("", DEVICE), visionos=At("", DEVICE)),
    "ProvisioningUDID": Facts(macos=At("11.3", DEVICE)),
    "OrganizationInfo": Facts(ios=At("7.0"), macos=At("10.11"), visionos=At()),
    "MDMOptions": Facts(ios=At("7.0"), macos=At("11.0"), visionos=At()),
    "LastCloudBackupDate": Facts(ios=At("8.0", DEVICE), visionos=At("", DEVICE)),
    "AwaitingConfiguration": Facts(ios=At("9.0", DEVICE), macos=At("10.11", DEVICE), visionos=At("2.0", DEVICE)),
    "iTunesStoreAccountIsActive": Facts(ios=At("7.0", DEVICE, APPS), macos=At("10.9", DEVICE, APPS)),
    "iTunesStoreAccountHash": Facts(ios=At("8.0", DEVICE, APPS), macos=At("10.10", DEVICE, APPS)),
    "DeviceName": Facts(ios=EVERYBODY, macos=EVERYBODY, visionos=EVERYBODY),
    "OSVersion": Facts(ios=EVERYBODY, macos=EVERYBODY, visionos=EVERYBODY),
    "SupplementalOSVersionExtra": Facts(ios=At("16.1", ANY, INFO), macos=At("13.0", ANY, INFO), visionos=EVERYBODY),
    "BuildVersion": Facts(ios=EVERYBODY, macos=EVERYBODY, visionos=EVERYBODY),
    "SupplementalBuildVersion": Facts(ios=At("16.1", ANY, INFO), macos=At("13.0", ANY, INFO), visionos=EVERYBODY),
    "ModelName": Facts(ios=EVERYBODY, macos=EVERYBODY, visionos=EVERYBODY),
    "Model": Facts(ios=EVERYBODY, macos=EVERYBODY),
    "ModelNumber": Facts(ios=At("16.4", ANY, INFO), macos=At("13.3", ANY, INFO), visionos=EVERYBODY),
    "IsAppleSilicon": Facts(macos=At("12.0", ANY, INFO)),
    "ProductName": Facts(ios=EVERYBODY, macos=EVERYBODY, visionos=EVERYBODY),
    "SerialNumber": Facts(ios=DEVICES, macos=DEVICES, visionos=DEVICES),
    "DeviceCapacity": Facts(ios=EVERYBODY, macos=EVERYBODY, visionos=EVERYBODY),
    "AvailableDeviceCapacity": Facts(ios=EVERYBODY, macos=EVERYBODY, visionos=EVERYBODY),
    "IMEI": Facts(ios=DEVICES),
    "MEID": Facts(ios=DEVICES),
    "ModemFirmwareVersion": Facts(ios=DEVICES),
    "CellularTechnology": Facts(ios=At("4.2.6", ANY, INFO)),
    "BatteryLevel": Facts(ios=At("5.0", ANY, INFO), macos=At("13.3", ANY, INFO), visionos=EVERYBODY),
    "HasBattery": Facts(macos=At("13.3", ANY, INFO)),
    "IsSupervised": Facts(ios=At("6.0", ANY, INFO), macos=At("10.15"), visionos=EVERYBODY),
    "IsMultiUser": Facts(ios=At("9.3", ANY, INFO)),
    "IsDeviceLocatorServiceEnabled": Facts(ios=At("7.0", ANY, INFO), visionos=EVERYBODY),
    "IsActivationLockEnabled": Facts(ios=At("7.0", DEVICE, INFO), macos=At("10.15", DEVICE, INFO)),
    "IsActivationLockSupported": Facts(macos=At("10.15", DEVICE, INFO)),
    "IsDoNotDisturbInEffect": Facts(ios=At("7.0", DEVICE, INFO), visionos=DEVICES),
    "EASDeviceIdentifier": Facts(ios=At("7.0", ANY, INFO), visionos=EVERYBODY),
    "IsCloudBackupEnabled": Facts(ios=At("7.1", DEVICE, INFO), visionos=DEVICES),
    "ActiveManagedUsers": Facts(macos=At("10.11", ANY, INFO, on_user_channel=False)),
    "OSUpdateSettings": Facts(macos=At("10.11", DEVICE, INFO)),
    "LocalHostName": Facts(macos=At("10.11", ANY, INFO)),
    "HostName": Facts(macos=At("10.11", ANY, INFO)),
    "AutoSetupAdminAccounts": Facts(macos=At("10.11", AUTOMATED, INFO)),
    "SystemIntegrityProtectionEnabled": Facts(macos=At("10.12", ANY, INFO)),
    "SupportsLOMDevice": Facts(macos=At("11.0", ANY, INFO)),
    "IsMDMLostModeEnabled": Facts(ios=At("9.3", DEVICE, INFO)),
    "MaximumResidentUsers": Facts(ios=At("9.3", SHARED_IPAD, INFO)),
    "EstimatedResidentUsers": Facts(ios=At("14.0", SHARED_IPAD, INFO)),
    "QuotaSize": Facts(ios=At("13.4", SHARED_IPAD, INFO)),
    "ResidentUsers": Facts(ios=At("13.4", SHARED_IPAD, INFO)),
    "UserSessionTimeout": Facts(ios=At("14.5", SHARED_IPAD, INFO)),
    "TemporarySessionTimeout": Facts(ios=At("14.5", SHARED_IPAD, INFO)),
    "TemporarySessionOnly": Facts(ios=At("14.5", SHARED_IPAD, INFO)),
    "ManagedAppleIDDefaultDomains": Facts(ios=At("16.0", SHARED_IPAD, INFO)),
    "OnlineAuthenticationGracePeriod": Facts(ios=At("16.0", SHARED_IPAD, INFO)),
    "SkipLanguageAndLocaleSetupForNewUsers": Facts(ios=At("16.2", SHARED_IPAD, INFO)),
    "PushToken": Facts(ios=At("9.3", DEVICE, INFO), macos=At("10.12")),
    "DiagnosticSubmissionEnabled": Facts(ios=At("9.3", ANY, INFO), visionos=EVERYBODY),
    "AppAnalyticsEnabled": Facts(ios=At("9.3", ANY, INFO), visionos=EVERYBODY),
    "TimeZone": Facts(ios=At("14.0", ANY, INFO), visionos=At("2.0", ANY, INFO)),
    "ICCID": Facts(ios=At("", DEVICE, NETWORK)),
    "BluetoothMAC": Facts(ios=At("", DEVICE, NETWORK), macos=At("", DEVICE, NETWORK), visionos=At("", DEVICE, NETWORK)),
    "WiFiMAC": Facts(ios=At("", DEVICE, NETWORK), macos=At("", DEVICE, NETWORK), visionos=At("", DEVICE, NETWORK)),
    "EthernetMAC": Facts(macos=At("", DEVICE, NETWORK)),
    "CurrentCarrierNetwork": Facts(ios=At("", DEVICE, NETWORK)),
    "SubscriberCarrierNetwork": Facts(ios=At("5.0", DEVICE, NETWORK)),
    "CarrierSettingsVersion": Facts(ios=At("", DEVICE, NETWORK)),
    "PhoneNumber": Facts(ios=At("", DEVICE, NETWORK)),
    "DataRoamingEnabled": Facts(ios=At("5.0", DEVICE, NETWORK)),
    "VoiceRoamingEnabled": Facts(ios=At("5.0", DEVICE, NETWORK)),
    "PersonalHotspotEnabled": Facts(ios=At("7.0", DEVICE, NETWORK)),
    "IsNetworkTethered": Facts(ios=At("10.3", ANY, NETWORK)),
    "IsRoaming": Facts(ios=At("4.2", DEVICE, NETWORK)),
    "SubscriberMCC": Facts(ios=At("4.2.6", DEVICE, NETWORK)),
    "SubscriberMNC": Facts(ios=At("4.2.6", DEVICE, NETWORK)),
    "CurrentMCC": Facts(ios=At("", DEVICE, NETWORK)),
    "CurrentMNC": Facts(ios=At("", DEVICE, NETWORK)),
    "ServiceSubscriptions": Facts(ios=At("12.0", DEVICE, NETWORK)),
    "PINRequiredForEraseDevice": Facts(macos=At("11.0", DEVICE, INFO)),
    "PINRequiredForDeviceLock": Facts(macos=At("11.0", DEVICE, INFO)),
    "SupportsiOSAppInstalls": Facts(macos=At("11.0", ANY, INFO)),
    "SoftwareUpdateDeviceID": Facts(ios=At("15.0", DEVICE), macos=At("12.0", DEVICE), visionos=At("", DEVICE)),
    "SoftwareUpdateSettings": Facts(ios=At("14.5", DEVICE)),
    "AccessibilitySettings": Facts(ios=At("16.0", SUPERVISED)),
    "DevicePropertiesAttestation": Facts(ios=At("16.0"), macos=At("14.0"), visionos=At()),
    "EACSPreflight": Facts(macos=At("13.3", DEVICE, INFO, on_user_channel=False)),
}

# Allowed, but not part of an inventory.
NOT_ASKED: Final = frozenset(
    {
        "DevicePropertiesAttestation",  # needs a nonce and is limited to a few a day
        "EACSPreflight",  # runs a check that takes the Mac a while
        "PushToken",  # a credential, and TokenUpdate tells us
        "iTunesStoreAccountHash",  # recognizes a private account, and nothing here needs it
    }
)


def _with_reach(reach: Reach) -> frozenset[str]:
    found = ((name, facts.on(platform)) for name, facts in QUERIES.items() for platform in Platform)
    return frozenset(name for name, at in found if at is not None and at.reach is reach)


# What would recognize a device or its owner: a user enrollment may not be asked for it on any platform.
PERSONAL: Final = _with_reach(Reach.DEVICE) - _with_reach(Reach.ANY)


_SUBJECTS: Final = {name: _("the query {name}", name=name) for name in QUERIES}  # asked for with every inventory


def against(name: str, target: Target) -> str | None:
    """Why this may not be asked there."""
    subject, at = _SUBJECTS[name], QUERIES[name].on(target.platform)
    return objection(subject, at, target) or lacks_right(subject, at.right if at else None, target)


def queries_for(target: Target) -> tuple[str, ...]:
    """What an inventory asks: all that is allowed there, and known to that version."""
    return tuple(name for name in QUERIES if name not in NOT_ASKED and against(name, target) is None)
