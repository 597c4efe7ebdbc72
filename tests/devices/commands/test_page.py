"""Which commands an account-driven enrollment may send: page 8.2 of the protocol notes, written down once more.

The walk over Apple's schema says more; this one needs no checkout of it.
"""

from typing import Any, Final

import pytest

from devices.protocol import commands
from devices.protocol.commands import REGISTRY, AnyRequest, Target
from devices.protocol.commands.forbidden import FORBIDDEN
from devices.protocol.commands.keys import Form, Key
from devices.protocol.target import Kind, Platform
from tests.devices.commands.targets import EVERY

ANY_ENROLLMENT = {
    Platform.IOS: """
        CertificateList DeclarativeManagement DeviceInformation DeviceLock InstallApplication InstallMedia
        InstallProfile InstallProvisioningProfile InstalledApplicationList ManagedApplicationAttributes
        ManagedApplicationConfiguration ManagedApplicationFeedback ManagedApplicationList ManagedMediaList
        ProfileList ProvisioningProfileList RemoveApplication RemoveMedia RemoveProfile RemoveProvisioningProfile
        RequestMirroring SecurityInfo Settings ValidateApplications
    """,
    Platform.MACOS: """
        CertificateList DeclarativeManagement DeviceInformation InstallApplication InstallEnterpriseApplication
        InstallProfile InstallProvisioningProfile ManagedApplicationConfiguration ManagedApplicationList
        ProfileList ProvisioningProfileList RemoveProfile RemoveProvisioningProfile RequestMirroring SecurityInfo
        Settings
    """,
    Platform.VISIONOS: """
        CertificateList DeclarativeManagement DeviceInformation DeviceLock InstallApplication InstallProfile
        InstallProvisioningProfile InstalledApplicationList ManagedApplicationAttributes
        ManagedApplicationConfiguration ManagedApplicationFeedback ManagedApplicationList ProfileList
        ProvisioningProfileList RemoveApplication RemoveProfile RemoveProvisioningProfile SecurityInfo Settings
        ValidateApplications
    """,
}
DEVICE_ENROLLMENT = {
    Platform.IOS: """
        ApplyRedemptionCode ClearPasscode EraseDevice InviteToProgram RefreshCellularPlans Restrictions
    """,
    Platform.MACOS: """
        ActivationLockBypassCode ActiveNSExtensions AvailableOSUpdates ClearActivationLockBypassCode
        ContentCachingInformation DeleteUser DeviceLock DisableRemoteDesktop EnableRemoteDesktop EraseDevice
        InstallMedia InstalledApplicationList InviteToProgram LOMDeviceRequest LOMSetupRequest
        ManagedApplicationFeedback NSExtensionMappings OSUpdateStatus RemoveApplication RestartDevice
        RotateFileVaultKey ScheduleOSUpdate ScheduleOSUpdateScan SetFirmwarePassword SetRecoveryLock
        ShutDownDevice StopMirroring UnlockUserAccount UserList VerifyFirmwarePassword VerifyRecoveryLock
    """,
    Platform.VISIONOS: """
        ClearPasscode EraseDevice Restrictions
    """,
}

# Where no single key is needed but one of several is, or where a value has a form.
TOGETHER: Final[dict[str, dict[str, Any]]] = {
    "DeviceInformation": {"Queries": ["OSVersion"]},
    "InstallApplication": {"Identifier": "org.example.app", "Options": {"PurchaseMethod": 1}},
    "InstallEnterpriseApplication": {"ManifestURL": "https://apps.example/manifest.plist"},
    "InstallMedia": {"MediaType": "Book", "iTunesStoreID": 1},
    "InstalledApplicationList": {"ManagedAppsOnly": True},
    "RemoveMedia": {"MediaType": "Book", "PersistentID": "org.example.manual"},
    "DeleteUser": {"UserName": "anna"},
    "ScheduleOSUpdate": {"Updates": [{"ProductVersion": "15.3", "InstallAction": "Default"}]},
    "Settings": {"Settings": [{"Item": "ApplicationConfiguration", "Identifier": "org.example.app"}]},
}
SAMPLES: Final = {
    Form.TEXT: "sample",
    Form.DATA: b"sample",
    Form.NUMBER: 7,
    Form.FLAG: True,
    Form.LIST: [],
    Form.TABLE: {},
}


def payload_for(name: str) -> dict[str, Any]:
    keys = REGISTRY[name].keys if name in REGISTRY else ()
    return TOGETHER.get(name) or {key.name: sample(key) for key in keys if key.needed}


def sample(key: Key) -> Any:
    return key.values[0] if key.values else SAMPLES[key.form]


def allowed_on(target: Target) -> set[str]:
    names = ANY_ENROLLMENT[target.platform].split()
    if target.kind is Kind.ADDE:
        names += DEVICE_ENROLLMENT[target.platform].split()
    return set(names)


def let_through(target: Target) -> set[str]:
    return {
        name
        for name in [*REGISTRY, *FORBIDDEN]
        if commands.why_not(AnyRequest(request_type=name, payload=payload_for(name)), target) is None
    }


@pytest.mark.parametrize("platform", Platform)
@pytest.mark.parametrize("kind", Kind)
def test_exactly_what_the_page_allows_is_let_through(platform: Platform, kind: Kind) -> None:
    targets = [target for target in EVERY if (target.platform, target.kind) == (platform, kind)]

    assert set().union(*map(let_through, targets)) == allowed_on(targets[0])
