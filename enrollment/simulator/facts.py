"""What a device knows about itself, in the keys of DeviceInformation, SecurityInfo and the lists."""

from collections.abc import Iterable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from enrollment.simulator.hardware import Hardware
from enrollment.simulator.identity import Identity
from enrollment.simulator.messages import Channel, Membership

# Not for user enrollments: `userenrollment: forbidden` in Apple's schema of the queries.
_PERSONAL = frozenset(
    {
        "UDID",
        "ProvisioningUDID",
        "AwaitingConfiguration",
        "iTunesStoreAccountIsActive",
        "SerialNumber",
        "IMEI",
        "ModemFirmwareVersion",
        "IsActivationLockEnabled",
        "IsActivationLockSupported",
        "IsDoNotDisturbInEffect",
        "IsCloudBackupEnabled",
        "IsMDMLostModeEnabled",
        "BluetoothMAC",
        "WiFiMAC",
        "EthernetMAC",
        "DataRoamingEnabled",
        "VoiceRoamingEnabled",
        "PersonalHotspotEnabled",
        "IsRoaming",
        "ServiceSubscriptions",
        "SoftwareUpdateDeviceID",
        "OSUpdateSettings",
        "PINRequiredForEraseDevice",
        "PINRequiredForDeviceLock",
    }
)
_APPLICATIONS = (
    ("com.apple.Pages", "Pages", "14.3", 412_000_000),
    ("com.example.timesheet", "Timesheet", "3.1.4", 38_500_000),
    ("org.example.reader", "Reader", "7.0", 91_250_000),
)

PRODUCT_KEY = "MSU_UPDATE_24D60_patch_15.3_minor"


def information(member: Membership) -> dict[str, Any]:
    """Every query of DeviceInformation that this device can answer, whether asked or not."""
    hardware, model = member.hardware, member.hardware.model
    known: dict[str, Any] = {
        "UDID": hardware.udid,
        "OrganizationInfo": {},
        "MDMOptions": {},
        "AwaitingConfiguration": False,
        "iTunesStoreAccountIsActive": True,
        "DeviceName": hardware.name,
        "OSVersion": model.os_version,
        "BuildVersion": model.build,
        "SupplementalBuildVersion": model.build,
        "ModelName": model.name,
        "Model": model.number.partition("/")[0],
        "ModelNumber": model.number,
        "ProductName": model.product,
        "SerialNumber": hardware.serial,
        "DeviceCapacity": 256.0,
        "AvailableDeviceCapacity": 187.4375,
        "BatteryLevel": 0.85,
        "IsSupervised": hardware.supervised and not member.is_user_enrollment,
        "IsActivationLockEnabled": True,
        "PushToken": member.push[Channel.DEVICE].token,
        "BluetoothMAC": "02:00:5e:10:00:01",
        "WiFiMAC": "02:00:5e:10:00:02",
        "SoftwareUpdateDeviceID": model.product,
    }
    known |= _of_macs(member) if hardware.family.is_mac else _of_phones(member)
    return {key: value for key, value in known.items() if not (member.is_user_enrollment and key in _PERSONAL)}


def _of_phones(member: Membership) -> dict[str, Any]:
    hardware = member.hardware
    known: dict[str, Any] = {
        "IsMultiUser": False,
        "IsDeviceLocatorServiceEnabled": True,
        "IsDoNotDisturbInEffect": False,
        "EASDeviceIdentifier": hardware.serial.rjust(26, "0"),
        "IsCloudBackupEnabled": False,
        "IsMDMLostModeEnabled": False,
        "DiagnosticSubmissionEnabled": False,
        "AppAnalyticsEnabled": False,
        "TimeZone": "Europe/Berlin",
        "IsNetworkTethered": False,
        "CellularTechnology": 1 if hardware.imei else 0,
    }
    if hardware.imei:
        subscription = {
            "Slot": "CTSubscriptionSlotOne",
            "IMEI": hardware.imei,
            "IsDataPreferred": True,
            "IsRoaming": False,
            "CarrierSettingsVersion": "58.0",
            "CurrentCarrierNetwork": "Telekom.de",
            "CurrentMCC": "262",
            "CurrentMNC": "01",
            "SubscriberCarrierNetwork": "Telekom.de",
        }
        known |= {
            "IMEI": hardware.imei,
            "ModemFirmwareVersion": "1.20.03",
            "DataRoamingEnabled": False,
            "VoiceRoamingEnabled": False,
            "PersonalHotspotEnabled": False,
            "IsRoaming": False,
            "ServiceSubscriptions": [subscription],
        }
    return known


def _of_macs(member: Membership) -> dict[str, Any]:
    host = f"{member.user}s-mac"
    return {
        "ProvisioningUDID": f"00008122-{member.hardware.udid.replace('-', '')[:16]}",
        "IsAppleSilicon": True,
        "HasBattery": True,
        "IsActivationLockSupported": True,
        "ActiveManagedUsers": [member.user_id],
        "OSUpdateSettings": {"AutoCheckEnabled": True, "BackgroundDownloadEnabled": True},
        "LocalHostName": host,
        "HostName": f"{host}.local",
        "SystemIntegrityProtectionEnabled": True,
        "SupportsLOMDevice": False,
        "EthernetMAC": "02:00:5e:10:00:03",
        "PINRequiredForEraseDevice": False,
        "PINRequiredForDeviceLock": False,
        "SupportsiOSAppInstalls": True,
    }


def security(member: Membership) -> dict[str, Any]:
    if member.hardware.family.is_mac:
        return {
            "FDE_Enabled": True,
            "SystemIntegrityProtectionEnabled": True,
            "FirewallSettings": {"FirewallEnabled": True, "BlockAllIncoming": False, "StealthMode": False},
            "ManagementStatus": {
                "EnrolledViaDEP": False,
                "UserApprovedEnrollment": True,
                "IsUserEnrollment": member.is_user_enrollment,
                "IsActivationLockManageable": True,
            },
            "SecureBoot": {"SecureBootLevel": "full", "ExternalBootLevel": "disallowed"},
            "AuthenticatedRootVolumeEnabled": True,
        }
    known = {
        "HardwareEncryptionCaps": 3,
        "PasscodePresent": True,
        "PasscodeCompliant": True,
        "PasscodeCompliantWithProfiles": True,
        "ManagementStatus": {"IsUserEnrollment": member.is_user_enrollment},
    }
    personal = {"PasscodePresent", "PasscodeCompliantWithProfiles"} if member.is_user_enrollment else set()
    return {key: value for key, value in known.items() if key not in personal}


def applications(member: Membership) -> list[dict[str, Any]]:
    """A user enrollment shows managed apps only, and nothing has installed one here."""
    if member.is_user_enrollment:
        return []
    common: dict[str, Any] = {"Installing": False}
    if not member.hardware.family.is_mac:
        common |= {"IsValidated": True, "AppStoreVendable": True, "DeviceBasedVPP": False, "BetaApp": False}
    return [
        {"Identifier": name, "Name": title, "Version": version, "ShortVersion": version, "BundleSize": size, **common}
        for name, title, version, size in _APPLICATIONS
    ]


def installed_profile(keys: dict[str, Any], signer: x509.Certificate | None, *, managed: bool | None) -> dict[str, Any]:
    """An item of ProfileList: the head of a profile, and the heads of its payloads."""
    names = ("PayloadDisplayName", "PayloadOrganization", "PayloadDescription")
    entry = _head(keys, names) | {
        "PayloadRemovalDisallowed": bool(keys.get("PayloadRemovalDisallowed", False)),
        "HasRemovalPasscode": False,
        "IsEncrypted": False,
        "PayloadContent": [_head(item, ("PayloadType", *names)) for item in keys["PayloadContent"]],
    }
    if signer is not None:
        entry["SignerCertificates"] = [signer.public_bytes(serialization.Encoding.DER)]
    return entry if managed is None else entry | {"IsManaged": managed}


def certificates(identity: Identity) -> list[dict[str, Any]]:
    names = identity.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    common_name = str(names[0].value) if names else ""
    return [{"CommonName": common_name, "IsIdentity": True, "Data": identity.der}]


def restrictions() -> dict[str, Any]:
    """No profile restricts anything, which is what a new phone says."""
    empty: dict[str, Any] = {"restrictedBool": {}, "restrictedValue": {}, "intersection": {}, "union": {}}
    return {"GlobalRestrictions": empty, "ProfileRestrictions": {}}


def users(member: Membership) -> list[dict[str, Any]]:
    return [
        {
            "UserName": member.user,
            "FullName": member.user.title(),
            "UID": 501,
            "UserGUID": member.user_id,
            "IsLoggedIn": True,
            "MobileAccount": False,
            "HasSecureToken": True,
        }
    ]


def updates() -> list[dict[str, Any]]:
    return [
        {
            "ProductKey": PRODUCT_KEY,
            "HumanReadableName": "macOS Sequoia 15.3",
            "HumanReadableNameLocale": "en",
            "Version": "15.3",
            "Build": "24D60",
            "DownloadSize": 3_412_345_678,
            "AppIdentifiersToClose": [],
            "IsCritical": False,
            "RestartRequired": True,
            "AllowsInstallLater": True,
            "IsSecurityResponse": False,
            "RequiresBootstrapToken": True,
        }
    ]


def _head(payload: dict[str, Any], optional: tuple[str, ...]) -> dict[str, Any]:
    keys = ("PayloadUUID", "PayloadIdentifier", "PayloadVersion", *optional)
    return {key: payload[key] for key in keys if key in payload}


def status_items(hardware: Hardware, managed: Iterable[dict[str, Any]], *, is_user_enrollment: bool) -> dict[str, Any]:
    """Every status item of declarative management that this device can tell, by its dotted name."""
    model = hardware.model
    known: dict[str, Any] = {
        "device.model.family": hardware.family.value,
        "device.model.identifier": model.product,
        "device.model.marketing-name": model.name,
        "device.model.number": model.number,
        "device.operating-system.family": "macOS" if hardware.family.is_mac else "iOS",
        "device.operating-system.version": model.os_version,
        "device.operating-system.build-version": model.build,
    }
    if hardware.family.is_mac:
        known["diskmanagement.filevault.enabled"] = True
    else:
        known |= {"passcode.is-compliant": True, "passcode.is-present": True}
        known["mdm.app"] = [
            {
                "identifier": app["Identifier"],
                "name": app["Name"],
                "version": app["Version"],
                "short-version": app["ShortVersion"],
                "state": "managed",
            }
            for app in managed
        ]
    if not is_user_enrollment:
        known |= {
            "device.identifier.serial-number": hardware.serial,
            "device.identifier.udid": hardware.udid,
            "softwareupdate.install-state": "none",
            "softwareupdate.pending-version": {},
        }
    return known
