"""Applications: what is installed, and installing more."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Final, Self

from devices.protocol import installed
from devices.protocol.commands.base import Command, command
from devices.protocol.commands.keys import array, data, flag, number, table, text, texts
from devices.protocol.reading import kept
from devices.protocol.sentence import sentence as _
from devices.protocol.support import ANY, DEVICE, EITHER, USER, At, Facts, Right
from devices.protocol.target import Kind, Target

ITEMS: Final = (
    "AdHocCodeSigned", "AppStoreVendable", "BetaApp", "BundleSize", "DeviceBasedVPP", "DistributorIdentifier",
    "DynamicSize", "ExternalVersionIdentifier", "HasUpdateAvailable", "Identifier", "Installing", "IsAppClip",
    "IsValidated", "Name", "ShortVersion", "Version",
)  # fmt: skip
USER_LICENCE: Final = 1  # PurchaseMethod: bought by the organization, assigned to the person
# of an application that we manage
ATTRIBUTES: Final = (
    text("VPNUUID"),
    text("ContentFilterUUID", ios=At("16.0")),
    text("DNSProxyUUID", ios=At("16.0")),
    text("RelayUUID", ios=At("17.0")),
    texts("AssociatedDomains", ios=At("13.0")),
    flag("AssociatedDomainsEnableDirectDownloads", ios=At("14.0")),
    flag("Removable", ios=At("14.0")),
    flag("TapToPayScreenLock", ios=At("16.4"), visionos=None),
    text("CellularSliceUUID", ios=At("17.0"), visionos=None),
    flag("Hideable", ios=At("18.1"), visionos=None),
    flag("Lockable", ios=At("18.1"), visionos=None),
)


@command
class InstalledApplicationList(Command):
    """https://developer.apple.com/documentation/devicemanagement/installed-application-list-command."""

    facts: ClassVar = Facts(
        ios=At("5.0", ANY, Right.APPLICATIONS),
        macos=At("10.7", DEVICE, Right.APPLICATIONS),
        visionos=At("1.1", ANY, Right.APPLICATIONS),
        channels=EITHER,
    )
    reads: ClassVar = installed.APPLICATIONS

    identifiers: Annotated[tuple[str, ...] | None, texts("Identifiers", ios=At("7.0"), macos=At("10.15"))] = None
    managed_apps_only: Annotated[bool, flag("ManagedAppsOnly", ios=At("7.0"), macos=At("10.15"))] = False
    items: Annotated[
        tuple[str, ...] | None,
        texts(
            "Items",
            *ITEMS,
            ios=At("14.0"),
            macos=None,
        ),
    ] = None

    @classmethod
    def for_target(cls, target: Target) -> Self:
        return cls(managed_apps_only=target.kind is Kind.AAUE)

    def objection(self, target: Target) -> str | None:
        """On a device of the user's own the other apps are none of our business: we do not even ask."""
        if target.kind is Kind.AAUE and not self.managed_apps_only:
            return _("On a user's own device InstalledApplicationList needs ManagedAppsOnly, which is true.")
        return None

    def is_partial(self, target: Target) -> bool:
        return self != self.for_target(target)


@command
class InstallApplication(Command):
    """https://developer.apple.com/documentation/devicemanagement/install-application-command."""

    facts: ClassVar = Facts(
        ios=At("5.0", ANY, Right.APP_MANAGEMENT),
        macos=At("10.9", ANY, Right.APP_MANAGEMENT),
        visionos=At("1.1", ANY, Right.APP_MANAGEMENT),
        channels=EITHER,
    )
    reads: ClassVar = installed.INSTALLATION

    itunes_store_id: Annotated[int | None, number("iTunesStoreID")] = None
    identifier: Annotated[str | None, text("Identifier", ios=At("7.0"))] = None
    options: Annotated[Mapping[str, Any] | None, table("Options", number("PurchaseMethod", 0, 1), ios=At("7.0"))] = None
    manifest_url: Annotated[str | None, text("ManifestURL", ios=At("7.0"))] = None
    management_flags: Annotated[int | None, number("ManagementFlags", 1, 4, 5, macos=At("11.0", DEVICE))] = None
    configuration: Annotated[
        Mapping[str, Any] | None, table("Configuration", secret=True, ios=At("7.0"), macos=At("11.0"))
    ] = None
    attributes: Annotated[
        Mapping[str, Any] | None,
        table(
            "Attributes",
            *ATTRIBUTES,
            ios=At("7.0"),
            macos=None,
        ),
    ] = None
    change_management_state: Annotated[
        str | None,
        text(
            "ChangeManagementState", "Managed", ios=At("9.0", DEVICE), macos=At("11.0", DEVICE), visionos=At("", DEVICE)
        ),
    ] = None
    install_as_managed: Annotated[bool, flag("InstallAsManaged", ios=None, macos=At("11.0", DEVICE), visionos=None)] = (
        False
    )
    ios_app: Annotated[bool, flag("iOSApp", ios=None, macos=At("11.0"), visionos=None)] = False

    def objection(self, target: Target) -> str | None:
        of_the_store = self.itunes_store_id is not None or self.identifier is not None
        if not of_the_store and self.manifest_url is None:
            return _("InstallApplication needs one of the keys iTunesStoreID, Identifier and ManifestURL.")
        if of_the_store and target.kind is Kind.AAUE and (self.options or {}).get("PurchaseMethod") != USER_LICENCE:
            return _(
                "On a user's own device InstallApplication needs Options with PurchaseMethod 1 for an app of the store."
            )
        return _not_https("InstallApplication", self.manifest_url)


@command
class InstallEnterpriseApplication(Command):
    """https://developer.apple.com/documentation/devicemanagement/install-enterprise-application-command."""

    facts: ClassVar = Facts(macos=At("10.13.6", ANY, Right.APP_MANAGEMENT))

    manifest: Annotated[Mapping[str, Any] | None, table("Manifest")] = None
    manifest_url: Annotated[str | None, text("ManifestURL")] = None
    manifest_url_pinning_certs: Annotated[tuple[bytes, ...] | None, array("ManifestURLPinningCerts", data(""))] = None
    pinning_revocation_check_required: Annotated[bool, flag("PinningRevocationCheckRequired")] = False
    install_as_managed: Annotated[bool, flag("InstallAsManaged", macos=At("11.0", DEVICE))] = False
    management_flags: Annotated[int | None, number("ManagementFlags", 1, macos=At("11.0", DEVICE))] = None
    configuration: Annotated[Mapping[str, Any] | None, table("Configuration", secret=True, macos=At("11.0"))] = None
    change_management_state: Annotated[
        str | None, text("ChangeManagementState", "Managed", macos=At("11.0", DEVICE))
    ] = None
    ios_app: Annotated[bool, flag("iOSApp", macos=At("11.0"))] = False

    def objection(self, target: Target) -> str | None:
        del target
        if self.manifest is None and self.manifest_url is None:
            return _("InstallEnterpriseApplication needs one of the keys Manifest and ManifestURL.")
        return _not_https("InstallEnterpriseApplication", self.manifest_url)


@command
class RemoveApplication(Command):
    """https://developer.apple.com/documentation/devicemanagement/remove-application-command."""

    facts: ClassVar = Facts(
        ios=At("5.0", ANY, Right.APP_MANAGEMENT),
        macos=At("11.0", DEVICE, Right.APP_MANAGEMENT),
        visionos=At("1.1", ANY, Right.APP_MANAGEMENT),
    )

    identifier: Annotated[str, text("Identifier")]


@command
class ApplyRedemptionCode(Command):
    """https://developer.apple.com/documentation/devicemanagement/apply-redemption-code-command."""

    facts: ClassVar = Facts(ios=At("5.0", DEVICE, Right.APP_MANAGEMENT))

    identifier: Annotated[str, text("Identifier")]
    redemption_code: Annotated[str, text("RedemptionCode", secret=True)]


@command
class InviteToProgram(Command):
    """https://developer.apple.com/documentation/devicemanagement/invite-to-program-command."""

    facts: ClassVar = Facts(ios=At("7.0", DEVICE, Right.APP_MANAGEMENT), macos=At("10.9", DEVICE), channels=USER)
    reads: ClassVar = kept("InvitationResult")

    program_id: Annotated[str, text("ProgramID", "com.apple.cloudvpp")]
    invitation_url: Annotated[str, text("InvitationURL")]


@command
class ValidateApplications(Command):
    """https://developer.apple.com/documentation/devicemanagement/validate-applications-command."""

    facts: ClassVar = Facts(ios=At("9.2", ANY, Right.APP_MANAGEMENT), visionos=At("1.1", ANY, Right.APP_MANAGEMENT))

    identifiers: Annotated[tuple[str, ...] | None, texts("Identifiers")] = None


def _not_https(command: str, url: str | None) -> str | None:
    if url is None or url.lower().startswith("https:"):
        return None
    return _("The key ManifestURL of {command} begins with https:.", command=command)
