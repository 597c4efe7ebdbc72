"""What DeviceInformation may ask, by platform and kind of enrollment.

From Apple's schema, mdm/commands/information.device.yaml; what only a Shared iPad or an automated device enrollment may
be asked is not here, for no account-driven enrollment is one.
"""

from typing import Final

from devices.protocol.commands.base import Kind, Platform, Target

_EVERY_PLATFORM: Final = (
    "OrganizationInfo", "MDMOptions", "DeviceName", "OSVersion", "SupplementalOSVersionExtra", "BuildVersion",
    "SupplementalBuildVersion", "ModelName", "ModelNumber", "ProductName", "DeviceCapacity", "AvailableDeviceCapacity",
    "BatteryLevel", "IsSupervised", "DevicePropertiesAttestation",
)  # fmt: skip

ANY_ENROLLMENT: Final[dict[Platform, tuple[str, ...]]] = {
    Platform.IOS: (
        *_EVERY_PLATFORM, "Model", "CellularTechnology", "IsMultiUser", "IsDeviceLocatorServiceEnabled",
        "EASDeviceIdentifier", "DiagnosticSubmissionEnabled", "AppAnalyticsEnabled", "TimeZone", "IsNetworkTethered",
    ),
    Platform.MACOS: (
        *_EVERY_PLATFORM, "Model", "IsAppleSilicon", "HasBattery", "ActiveManagedUsers", "LocalHostName", "HostName",
        "SystemIntegrityProtectionEnabled", "SupportsLOMDevice", "PushToken", "SupportsiOSAppInstalls",
    ),
    Platform.VISIONOS: (
        *_EVERY_PLATFORM, "IsDeviceLocatorServiceEnabled", "EASDeviceIdentifier", "DiagnosticSubmissionEnabled",
        "AppAnalyticsEnabled", "TimeZone",
    ),
}  # fmt: skip

# A user enrollment may not be asked for what would recognize the device or its owner.
DEVICE_ENROLLMENT: Final[dict[Platform, tuple[str, ...]]] = {
    Platform.IOS: (
        "UDID", "SerialNumber", "LastCloudBackupDate", "AwaitingConfiguration", "iTunesStoreAccountIsActive",
        "iTunesStoreAccountHash", "IMEI", "MEID", "ModemFirmwareVersion", "IsActivationLockEnabled",
        "IsDoNotDisturbInEffect", "IsCloudBackupEnabled", "IsMDMLostModeEnabled", "PushToken", "ICCID", "BluetoothMAC",
        "WiFiMAC", "CurrentCarrierNetwork", "SubscriberCarrierNetwork", "CarrierSettingsVersion", "PhoneNumber",
        "DataRoamingEnabled", "VoiceRoamingEnabled", "PersonalHotspotEnabled", "IsRoaming", "SubscriberMCC",
        "SubscriberMNC", "CurrentMCC", "CurrentMNC", "ServiceSubscriptions", "SoftwareUpdateDeviceID",
        "SoftwareUpdateSettings",
    ),
    Platform.MACOS: (
        "UDID", "SerialNumber", "ProvisioningUDID", "AwaitingConfiguration", "iTunesStoreAccountIsActive",
        "iTunesStoreAccountHash", "IsActivationLockEnabled", "IsActivationLockSupported", "OSUpdateSettings",
        "BluetoothMAC", "WiFiMAC", "EthernetMAC", "PINRequiredForEraseDevice", "PINRequiredForDeviceLock",
        "SoftwareUpdateDeviceID", "EACSPreflight",
    ),
    Platform.VISIONOS: (
        "UDID", "SerialNumber", "LastCloudBackupDate", "AwaitingConfiguration", "IsDoNotDisturbInEffect",
        "IsCloudBackupEnabled", "BluetoothMAC", "WiFiMAC", "SoftwareUpdateDeviceID",
    ),
}  # fmt: skip

NOT_ON_USER_CHANNEL: Final = frozenset({"ActiveManagedUsers", "EACSPreflight"})
PERSONAL: Final = frozenset().union(*DEVICE_ENROLLMENT.values()) - frozenset().union(*ANY_ENROLLMENT.values())

# Allowed, but not part of an inventory.
NOT_ASKED: Final = frozenset(
    {
        "DevicePropertiesAttestation",  # needs a nonce and is limited to a few a day
        "EACSPreflight",  # runs a check that takes the Mac a while
        "PushToken",  # a credential, and TokenUpdate tells us
        "iTunesStoreAccountHash",  # recognizes a private account, and nothing here needs it
    }
)


def queries_for(target: Target) -> tuple[str, ...]:
    names = ANY_ENROLLMENT[target.platform]
    if target.kind is Kind.ADDE:
        names += DEVICE_ENROLLMENT[target.platform]
    left_out = NOT_ASKED | NOT_ON_USER_CHANNEL if target.user_channel else NOT_ASKED
    return tuple(name for name in names if name not in left_out)
