"""How the portal words what became of an app that was to be managed: Apple's states and reasons.

https://developer.apple.com/documentation/devicemanagement/managed-application-list-response, and the status items
app.managed.list and mdm.app, which have some of their own.
"""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from devices.models import ManagedApplication
from epmm.portal.lists import Badge

STATES: Final[dict[str, tuple[Promise, str]]] = {
    "Queued": (_("Waits to be installed"), "waiting"),
    "NeedsRedemption": (_("Needs a redemption code"), "waiting"),
    "Redeeming": (_("Redeems its code"), "waiting"),
    "Prompting": (_("Waits for the person's consent"), "waiting"),
    "PromptingForLogin": (_("Waits for the person to sign in to the App Store"), "waiting"),
    "ValidatingPurchase": (_("The purchase is being checked"), "waiting"),
    "Installing": (_("Is being installed"), "waiting"),
    "PromptingForManagement": (_("Installed; waits for the person's consent to management"), "waiting"),
    "PromptingForUpdate": (_("The update waits for the person's consent"), "waiting"),
    "PromptingForUpdateLogin": (_("The update waits for the person to sign in to the App Store"), "waiting"),
    "ValidatingUpdate": (_("The update is being checked"), "waiting"),
    "Updating": (_("Is being updated"), "waiting"),
    "Unknown": (_("Unknown"), "waiting"),
    "Optional": (_("The person may install it"), "plain"),
    "PromptingForConsent": (_("Waits for the person's consent"), "waiting"),
    "Downloading": (_("Is being downloaded"), "waiting"),
    "Managed": (_("Managed"), "good"),
    "ManagedButUninstalled": (_("Managed, but deleted by the person"), "bad"),
    "UserInstalledApp": (_("Not managed: the person had installed it before"), "bad"),
    "UserRejected": (_("Refused by the person"), "bad"),
    "UpdateRejected": (_("The person refused the update"), "bad"),
    "ManagementRejected": (_("Installed; the person refused management"), "bad"),
    "Failed": (_("Could not be installed"), "bad"),
}
REASONS: Final[dict[str, Promise]] = {
    "AppAlreadyInstalled": _("the app is there already"),
    "AppAlreadyQueued": _("its installation has been ordered already"),
    "AppStoreDisabled": _("the App Store is switched off"),
    "CouldNotVerifyAppID": _("its identifier could not be verified"),
    "ManagementChangeNotSupported": _("it cannot be taken into management there"),
    "NotAnApp": _("this is no app"),
    "NotSupported": _("the device does not support it"),
    "Other": _("another reason"),
    "PurchaseMethodNotSupported": _("this purchase method is not supported"),
    "PurchaseMethodNotSupportedInMultiUser": _("this purchase method is not supported on a device of several users"),
    "UnmanagedAppAlreadyInstalled": _("the app is there already"),
    "DuplicateConfiguredApp": _("the app is managed already"),
    "UserRejected": _("the person refused it"),
    "LicenseNotFound": _("there is no license for it"),
    "InvalidAppID": _("there is no app with this identifier"),
    "DownloadFailed": _("the download failed"),
    "InstallFailed": _("the installation failed"),
    "UpdateFailed": _("the update failed"),
}


def badge(row: ManagedApplication) -> Badge:
    """What Apple adds to its states stands there as it came."""
    state = row.state or "Unknown"
    text, tone = STATES.get(state, (state, "plain"))
    return Badge(text, tone, note=REASONS.get(row.rejection.removeprefix("Error."), row.rejection))
