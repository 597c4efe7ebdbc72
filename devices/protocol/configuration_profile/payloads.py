"""Every payload of Apple's schema that is still in use, and whom it may go to: mdm/profiles/*.yaml, 18.2 and 15.2.

A test compares these tables with a checkout of the schema.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from devices.protocol.target import Platform


@dataclass(frozen=True, slots=True)
class Reach:
    """Names by the enrollments that a platform takes them from."""

    anywhere: frozenset[str]  # user enrollments too
    device: frozenset[str]  # device enrollments
    supervised: frozenset[str]

    def __contains__(self, name: str) -> bool:
        return name in self.anywhere or name in self.device or name in self.supervised


def reach(*, anywhere: Iterable[str] = (), device: Iterable[str] = (), supervised: Iterable[str] = ()) -> Reach:
    return Reach(frozenset(anywhere), frozenset(device), frozenset(supervised))


PAYLOADS: Final[dict[Platform, Reach]] = {
    Platform.IOS: reach(
        anywhere=(
            "com.apple.airplay", "com.apple.airprint", "com.apple.applicationaccess",
            "com.apple.caldav.account", "com.apple.carddav.account",
            "com.apple.cellularprivatenetwork.managed", "com.apple.dnsProxy.managed",
            "com.apple.eas.account", "com.apple.education", "com.apple.extensiblesso", "com.apple.font",
            "com.apple.globalethernet.managed", "com.apple.google-oauth", "com.apple.ldap.account",
            "com.apple.mail.managed", "com.apple.mdm", "com.apple.mobiledevice.passwordpolicy",
            "com.apple.relay.managed", "com.apple.security.acme",
            "com.apple.security.certificaterevocation", "com.apple.security.certificatetransparency",
            "com.apple.security.pem", "com.apple.security.pkcs1", "com.apple.security.pkcs12",
            "com.apple.security.root", "com.apple.security.scep", "com.apple.sso",
            "com.apple.subscribedcalendar.account", "com.apple.vpn.managed.applayer",
            "com.apple.webClip.managed", "com.apple.webcontent-filter", "com.apple.wifi.managed",
        ),
        device=(
            "com.apple.apn.managed", "com.apple.cellular", "com.apple.declarations",
            "com.apple.dnsSettings.managed", "com.apple.domains", "com.apple.networkusagerules",
            "com.apple.vpn.managed",
        ),
        supervised=(
            "com.apple.SetupAssistant.managed", "com.apple.app.lock", "com.apple.homescreenlayout",
            "com.apple.notificationsettings", "com.apple.profileRemovalPassword",
            "com.apple.proxy.http.global", "com.apple.shareddeviceconfiguration", "com.apple.tvremote",
        ),
    ),
    Platform.MACOS: reach(
        anywhere=(
            "com.apple.ADCertificate.managed", "com.apple.DirectoryService.managed", "com.apple.airplay",
            "com.apple.airprint", "com.apple.applicationaccess", "com.apple.associated-domains",
            "com.apple.caldav.account", "com.apple.carddav.account",
            "com.apple.configurationprofile.identification", "com.apple.education", "com.apple.ews.account",
            "com.apple.extensiblesso", "com.apple.fileproviderd", "com.apple.firstactiveethernet.managed",
            "com.apple.firstethernet.managed", "com.apple.font", "com.apple.globalethernet.managed",
            "com.apple.ldap.account", "com.apple.loginitems.managed", "com.apple.mail.managed",
            "com.apple.mdm", "com.apple.preference.users", "com.apple.secondactiveethernet.managed",
            "com.apple.secondethernet.managed", "com.apple.security.acme",
            "com.apple.security.certificatepreference", "com.apple.security.certificatetransparency",
            "com.apple.security.identitypreference", "com.apple.security.pem", "com.apple.security.pkcs1",
            "com.apple.security.pkcs12", "com.apple.security.root", "com.apple.security.scep",
            "com.apple.thirdactiveethernet.managed", "com.apple.thirdethernet.managed",
            "com.apple.vpn.managed.applayer", "com.apple.vpn.managed.appmapping",
            "com.apple.webClip.managed", "com.apple.wifi.managed",
        ),
        device=(
            ".GlobalPreferences", "com.apple.AssetCache.managed", "com.apple.Dictionary",
            "com.apple.DiscRecording", "com.apple.MCX", "com.apple.MCX.FileVault2",
            "com.apple.MCX.TimeMachine", "com.apple.ManagedClient.preferences", "com.apple.NSExtension",
            "com.apple.SetupAssistant.managed", "com.apple.ShareKitHelper", "com.apple.SoftwareUpdate",
            "com.apple.SystemConfiguration", "com.apple.TCC.configuration-profile-policy",
            "com.apple.applicationaccess.new", "com.apple.appstore", "com.apple.asam",
            "com.apple.declarations", "com.apple.desktop", "com.apple.dnsProxy.managed",
            "com.apple.dnsSettings.managed", "com.apple.dock", "com.apple.domains",
            "com.apple.familycontrols.contentfilter", "com.apple.familycontrols.timelimits.v2",
            "com.apple.finder", "com.apple.gamed", "com.apple.ironwood.support", "com.apple.loginwindow",
            "com.apple.lom", "com.apple.mcxMenuExtras", "com.apple.mcxloginscripts",
            "com.apple.mcxprinting", "com.apple.mobiledevice.passwordpolicy",
            "com.apple.notificationsettings", "com.apple.preference.security",
            "com.apple.profileRemovalPassword", "com.apple.proxy.http.global", "com.apple.relay.managed",
            "com.apple.screensaver", "com.apple.screensaver.user",
            "com.apple.security.FDERecoveryKeyEscrow", "com.apple.security.FDERecoveryRedirect",
            "com.apple.security.firewall", "com.apple.security.smartcard", "com.apple.servicemanagement",
            "com.apple.syspolicy.kernel-extension-policy", "com.apple.system-extension-policy",
            "com.apple.system.logging", "com.apple.systemmigration", "com.apple.systempolicy.control",
            "com.apple.systempolicy.managed", "com.apple.systempolicy.rule", "com.apple.systempreferences",
            "com.apple.systemuiserver", "com.apple.universalaccess", "com.apple.vpn.managed",
            "com.apple.webcontent-filter", "com.apple.xsan", "com.apple.xsan.preferences", "loginwindow",
        ),
    ),
    Platform.VISIONOS: reach(
        anywhere=(
            "com.apple.airprint", "com.apple.applicationaccess", "com.apple.caldav.account",
            "com.apple.carddav.account", "com.apple.dnsProxy.managed", "com.apple.eas.account",
            "com.apple.extensiblesso", "com.apple.font", "com.apple.google-oauth", "com.apple.ldap.account",
            "com.apple.mail.managed", "com.apple.mdm", "com.apple.mobiledevice.passwordpolicy",
            "com.apple.relay.managed", "com.apple.security.acme",
            "com.apple.security.certificaterevocation", "com.apple.security.certificatetransparency",
            "com.apple.security.pem", "com.apple.security.pkcs1", "com.apple.security.pkcs12",
            "com.apple.security.root", "com.apple.security.scep", "com.apple.subscribedcalendar.account",
            "com.apple.vpn.managed.applayer", "com.apple.webcontent-filter", "com.apple.wifi.managed",
        ),
        device=(
            "com.apple.declarations", "com.apple.dnsSettings.managed", "com.apple.domains",
            "com.apple.vpn.managed",
        ),
        supervised=(
            "com.apple.proxy.http.global",
        ),
    ),
}  # fmt: skip

# Of a Mac; all others go to either channel.
ONLY_FOR_THE_MAC: Final = frozenset(
    {
        "com.apple.AssetCache.managed", "com.apple.DirectoryService.managed", "com.apple.MCX.FileVault2",
        "com.apple.MCX.TimeMachine", "com.apple.SoftwareUpdate", "com.apple.SystemConfiguration",
        "com.apple.TCC.configuration-profile-policy", "com.apple.asam", "com.apple.dnsProxy.managed",
        "com.apple.dnsSettings.managed", "com.apple.loginwindow", "com.apple.lom", "com.apple.mcxloginscripts",
        "com.apple.mdm", "com.apple.proxy.http.global", "com.apple.screensaver",
        "com.apple.security.FDERecoveryKeyEscrow", "com.apple.security.FDERecoveryRedirect",
        "com.apple.security.certificatetransparency", "com.apple.security.firewall",
        "com.apple.security.smartcard", "com.apple.servicemanagement",
        "com.apple.syspolicy.kernel-extension-policy", "com.apple.system-extension-policy",
        "com.apple.systemmigration", "com.apple.systempolicy.control", "com.apple.systempolicy.rule",
        "com.apple.vpn.managed.appmapping", "com.apple.webcontent-filter", "com.apple.xsan",
        "com.apple.xsan.preferences", "loginwindow",
    }
)  # fmt: skip
ONLY_FOR_USERS: Final = frozenset(
    {
        "com.apple.caldav.account", "com.apple.carddav.account", "com.apple.education", "com.apple.ews.account",
        "com.apple.ldap.account", "com.apple.mail.managed", "com.apple.screensaver.user",
        "com.apple.security.certificatepreference", "com.apple.security.identitypreference",
        "com.apple.webClip.managed",
    }
)  # fmt: skip
