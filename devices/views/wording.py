"""How the portal words what a device is."""

from datetime import timedelta
from typing import Final

from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy

from devices.models import Device, Identity, Label
from devices.models import Enrollment as Standing
from epmm.expiry import SOON
from epmm.portal.lists import Badge

S = Device.Status
TONES: Final = {
    S.ACTIVE: "good",
    S.VERIFICATION_PENDING: "waiting",
    S.VERIFIED: "waiting",
    S.IENROLL_VERIFIED: "waiting",
    S.IENROLL_INPROGRESS: "waiting",
    S.IENROLL_COMPLETE: "waiting",
    S.WIPE_PENDING: "waiting",
    S.RETIRE_PENDING: "waiting",
    S.LOST: "bad",
    S.BLOCKED: "bad",
    S.INFECTED: "bad",
}
BUILT_IN: Final = {  # as the migration wrote it
    "All devices": gettext_lazy("All devices"),
    "iPhone and iPad": gettext_lazy("iPhone and iPad"),
    "Devices of the company": gettext_lazy("Devices of the company"),
    "Devices of their users": gettext_lazy("Devices of their users"),
    "Their users signed out or removed management": gettext_lazy("Their users signed out or removed management"),
    "Enrolled with a work account: device enrollment": gettext_lazy("Enrolled with a work account: device enrollment"),
    "Enrolled with a work account: user enrollment": gettext_lazy("Enrolled with a work account: user enrollment"),
    "Their last attempt was refused today": gettext_lazy("Their last attempt was refused today"),
}
ICONS: Final = {"iPhone": "smartphone", "iPad": "tablet", "Mac": "laptop", "RealityDevice": "glasses"}
FAMILIES: Final = (("iphone", "iPhone"), ("ipad", "iPad"), ("mac", "Mac"), ("reality", "RealityDevice"))
STATES: Final = {
    Standing.State.PENDING: gettext_lazy("Profile delivered"),
    Standing.State.AUTHENTICATED: gettext_lazy("Enrolling"),
    Standing.State.ACTIVE: gettext_lazy("Active"),
    Standing.State.ENDED: gettext_lazy("Ended"),
}


def status_badge(device: Device, *, is_live: bool = False) -> Badge:
    key = f"s{device.pk}" if is_live else ""
    is_told = device.status == S.RETIRED and device.retired_reason
    why = gettext(device.retired_reason) if is_told else ""  # it stands in the record, and so in the search, in English
    return Badge(S(device.status).label, TONES.get(S(device.status), "plain"), key, note=why)


def system_of(device: Device) -> str:
    """`iPadOS 18.1`, as its own people call it."""
    is_ipad = device.platform == Device.Platform.IOS and family_of(device) == "iPad"
    return f"{'iPadOS' if is_ipad else device.platform} {device.os_version}".strip()


def owner_of(device: Device) -> str:
    return str(Device.Owner(device.owner).label) if device.owner else ""


def family_of(device: Device) -> str:
    if device.family in ICONS:
        return device.family
    named = (device.product_name or device.model_name).lower()
    return next((family for start, family in FAMILIES if named.startswith(start)), "")


def icon_of(device: Device) -> str:
    by_platform = {Device.Platform.MACOS.value: "laptop", Device.Platform.VISIONOS.value: "glasses"}
    return ICONS.get(family_of(device)) or by_platform.get(device.platform, "smartphone")


def identity_badge(identity: Identity) -> Badge:
    left = identity.not_after - timezone.now()
    if identity.state == Identity.State.REVOKED:
        return Badge(gettext("Revoked"), "bad")
    if left > timedelta() and identity.state != Identity.State.CURRENT:
        return Badge(gettext("Not in use"))
    return validity(left)


def validity(left: timedelta) -> Badge:
    """Of a certificate that is good for so long."""
    if left <= timedelta():
        return Badge(gettext("Expired"), "bad")
    return Badge(gettext("Expires soon"), "waiting") if left <= SOON else Badge(gettext("Valid"), "good")


def description_of(label: Label) -> str:
    return str(BUILT_IN.get(label.description, label.description)) if label.is_built_in else label.description
