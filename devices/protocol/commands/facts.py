"""Every command of Apple's schema, and where it may go: mdm/commands/*.yaml, iOS 18.2 and macOS 15.2.

A test compares this table with a checkout of the schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, Flag, IntFlag, auto
from typing import Any, Final

from devices.protocol.commands.base import Platform


class Reach(Enum):
    """The enrollments that a platform accepts a command from."""

    ANY = auto()  # user enrollments too
    DEVICE = auto()  # device enrollments
    SUPERVISED = auto()
    AUTOMATED = auto()  # automated device enrollment only
    SHARED_IPAD = auto()


class Channels(Flag):
    """Of a Mac; elsewhere there is only the device channel."""

    DEVICE = auto()
    USER = auto()


class Right(IntFlag):
    """AccessRights of com.apple.mdm."""

    INSPECT = 1
    INSTALL = 2
    LOCK = 4  # and remove the passcode
    ERASE = 8
    DEVICE_INFORMATION = 16
    NETWORK_INFORMATION = 32
    INSPECT_PROVISIONING = 64
    INSTALL_PROVISIONING = 128
    APPLICATIONS = 256
    RESTRICTIONS = 512
    SECURITY = 1024
    SETTINGS = 2048
    APP_MANAGEMENT = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    ios: Reach | None = None  # None: the platform does not know the command
    macos: Reach | None = None
    visionos: Reach | None = None
    right: Right | None = None
    channels: Channels = Channels.DEVICE
    needs: Mapping[str, type[Any]] = field(default_factory=dict)  # keys without which it is malformed

    def on(self, platform: Platform) -> Reach | None:
        return {Platform.IOS: self.ios, Platform.MACOS: self.macos, Platform.VISIONOS: self.visionos}[platform]


ANY, DEVICE, SUPERVISED, AUTOMATED, SHARED_IPAD = Reach
USER: Final = Channels.USER
EITHER: Final = Channels.DEVICE | Channels.USER

FACTS: Final[dict[str, Facts]] = {
    "AccountConfiguration": Facts(macos=AUTOMATED),
    "ActivationLockBypassCode": Facts(ios=SUPERVISED, macos=SUPERVISED, visionos=SUPERVISED),
    "ActiveNSExtensions": Facts(macos=DEVICE, right=Right.APPLICATIONS, channels=USER),
    "ApplyRedemptionCode": Facts(
        ios=DEVICE, right=Right.APP_MANAGEMENT, needs={"Identifier": str, "RedemptionCode": str}
    ),
    "AvailableOSUpdates": Facts(ios=SUPERVISED, macos=DEVICE, right=Right.APP_MANAGEMENT),
    "CertificateList": Facts(ios=ANY, macos=ANY, visionos=ANY, right=Right.INSPECT, channels=EITHER),
    "ClearActivationLockBypassCode": Facts(ios=SUPERVISED, macos=SUPERVISED, visionos=SUPERVISED),
    "ClearPasscode": Facts(ios=DEVICE, visionos=DEVICE, right=Right.LOCK, needs={"UnlockToken": bytes}),
    "ClearRestrictionsPassword": Facts(ios=SUPERVISED),
    "ContentCachingInformation": Facts(macos=DEVICE, right=Right.NETWORK_INFORMATION),
    "DeclarativeManagement": Facts(ios=ANY, macos=ANY, visionos=ANY, channels=EITHER),
    "DeleteUser": Facts(ios=SHARED_IPAD, macos=SUPERVISED),
    "DeviceConfigured": Facts(ios=AUTOMATED, macos=AUTOMATED, visionos=AUTOMATED),
    "DeviceInformation": Facts(ios=ANY, macos=ANY, visionos=ANY, channels=EITHER, needs={"Queries": list}),
    "DeviceLocation": Facts(ios=SUPERVISED),
    "DeviceLock": Facts(ios=ANY, macos=DEVICE, visionos=ANY, right=Right.LOCK),
    "DisableLostMode": Facts(ios=SUPERVISED),
    "DisableRemoteDesktop": Facts(macos=SUPERVISED),
    "EnableLostMode": Facts(ios=SUPERVISED),
    "EnableRemoteDesktop": Facts(macos=SUPERVISED),
    "EraseDevice": Facts(ios=DEVICE, macos=DEVICE, visionos=DEVICE, right=Right.ERASE),
    "InstallApplication": Facts(ios=ANY, macos=ANY, visionos=ANY, right=Right.APP_MANAGEMENT, channels=EITHER),
    "InstallEnterpriseApplication": Facts(macos=ANY, right=Right.APP_MANAGEMENT),
    "InstallMedia": Facts(ios=ANY, macos=DEVICE, right=Right.APP_MANAGEMENT, channels=USER, needs={"MediaType": str}),
    "InstallProfile": Facts(
        ios=ANY, macos=ANY, visionos=ANY, right=Right.INSTALL, channels=EITHER, needs={"Payload": bytes}
    ),
    "InstallProvisioningProfile": Facts(
        ios=ANY, macos=ANY, visionos=ANY, right=Right.INSTALL_PROVISIONING, needs={"ProvisioningProfile": bytes}
    ),
    "InstalledApplicationList": Facts(ios=ANY, macos=DEVICE, visionos=ANY, right=Right.APPLICATIONS, channels=EITHER),
    "InviteToProgram": Facts(
        ios=DEVICE,
        macos=DEVICE,
        right=Right.APP_MANAGEMENT,
        channels=USER,
        needs={"ProgramID": str, "InvitationURL": str},
    ),
    "LOMDeviceRequest": Facts(macos=DEVICE, right=Right.LOCK, needs={"RequestList": list}),
    "LOMSetupRequest": Facts(macos=DEVICE, right=Right.LOCK),
    "LogOutUser": Facts(ios=SHARED_IPAD),
    "ManagedApplicationAttributes": Facts(
        ios=ANY, visionos=ANY, right=Right.APP_MANAGEMENT, needs={"Identifiers": list}
    ),
    "ManagedApplicationConfiguration": Facts(
        ios=ANY, macos=ANY, visionos=ANY, right=Right.APP_MANAGEMENT, needs={"Identifiers": list}
    ),
    "ManagedApplicationFeedback": Facts(
        ios=ANY, macos=DEVICE, visionos=ANY, right=Right.APP_MANAGEMENT, channels=USER, needs={"Identifiers": list}
    ),
    "ManagedApplicationList": Facts(ios=ANY, macos=ANY, visionos=ANY, right=Right.APP_MANAGEMENT, channels=EITHER),
    "ManagedMediaList": Facts(ios=ANY, right=Right.APP_MANAGEMENT),
    "NSExtensionMappings": Facts(macos=DEVICE, right=Right.APPLICATIONS, channels=USER),
    "OSUpdateStatus": Facts(ios=SUPERVISED, macos=SUPERVISED, right=Right.APP_MANAGEMENT),
    "PlayLostModeSound": Facts(ios=SUPERVISED),
    "ProfileList": Facts(ios=ANY, macos=ANY, visionos=ANY, right=Right.INSPECT, channels=EITHER),
    "ProvisioningProfileList": Facts(ios=ANY, macos=ANY, visionos=ANY, right=Right.INSPECT_PROVISIONING),
    "RefreshCellularPlans": Facts(ios=DEVICE, needs={"eSIMServerURL": str}),
    "RemoveApplication": Facts(
        ios=ANY, macos=DEVICE, visionos=ANY, right=Right.APP_MANAGEMENT, needs={"Identifier": str}
    ),
    "RemoveMedia": Facts(ios=ANY, right=Right.APP_MANAGEMENT, needs={"MediaType": str}),
    "RemoveProfile": Facts(
        ios=ANY, macos=ANY, visionos=ANY, right=Right.INSTALL, channels=EITHER, needs={"Identifier": str}
    ),
    "RemoveProvisioningProfile": Facts(
        ios=ANY, macos=ANY, visionos=ANY, right=Right.INSTALL_PROVISIONING, needs={"UUID": str}
    ),
    "RequestMirroring": Facts(ios=ANY, macos=ANY),
    "RequestUnlockToken": Facts(ios=SUPERVISED),
    "RestartDevice": Facts(ios=SUPERVISED, macos=DEVICE, right=Right.LOCK),
    "Restrictions": Facts(ios=DEVICE, visionos=DEVICE, right=Right.RESTRICTIONS),
    "RotateFileVaultKey": Facts(macos=DEVICE, right=Right.LOCK, needs={"KeyType": str, "FileVaultUnlock": dict}),
    "ScheduleOSUpdate": Facts(ios=SUPERVISED, macos=SUPERVISED, right=Right.APP_MANAGEMENT, needs={"Updates": list}),
    "ScheduleOSUpdateScan": Facts(macos=SUPERVISED),
    "SecurityInfo": Facts(ios=ANY, macos=ANY, visionos=ANY, right=Right.SECURITY, channels=EITHER),
    "SetAutoAdminPassword": Facts(macos=AUTOMATED, needs={"GUID": str, "passwordHash": bytes}),
    "SetFirmwarePassword": Facts(macos=DEVICE, right=Right.LOCK, needs={"NewPassword": str}),
    "SetRecoveryLock": Facts(macos=DEVICE, right=Right.LOCK, needs={"NewPassword": str}),
    "Settings": Facts(
        ios=ANY, macos=ANY, visionos=ANY, right=Right.SETTINGS, channels=EITHER, needs={"Settings": list}
    ),
    "ShutDownDevice": Facts(ios=SUPERVISED, macos=DEVICE, right=Right.LOCK),
    "StopMirroring": Facts(ios=SUPERVISED, macos=DEVICE),
    "UnlockUserAccount": Facts(macos=DEVICE, right=Right.LOCK, needs={"UserName": str}),
    "UserConfigured": Facts(ios=AUTOMATED),
    "UserList": Facts(ios=SHARED_IPAD, macos=SUPERVISED),
    "ValidateApplications": Facts(ios=ANY, visionos=ANY, right=Right.APP_MANAGEMENT),
    "VerifyFirmwarePassword": Facts(macos=DEVICE, needs={"Password": str}),
    "VerifyRecoveryLock": Facts(macos=DEVICE, right=Right.LOCK, needs={"Password": str}),
}

# Their rights are those of iOS and visionOS; the schema names none for a Mac.
NO_RIGHT_ON_MACOS: Final = frozenset(
    {
        "AvailableOSUpdates",
        "InstallProvisioningProfile",
        "InviteToProgram",
        "OSUpdateStatus",
        "ProvisioningProfileList",
        "RemoveProvisioningProfile",
        "ScheduleOSUpdate",
    }
)
