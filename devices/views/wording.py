"""How the portal words what a device is."""

from typing import Final

from django.utils.translation import gettext_lazy

from devices.models import Device
from devices.models import Enrollment as Standing
from devices.services import retire
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
ICONS: Final = {"iPhone": "smartphone", "iPad": "tablet", "Mac": "laptop", "RealityDevice": "glasses"}
FAMILIES: Final = (("iphone", "iPhone"), ("ipad", "iPad"), ("mac", "Mac"), ("reality", "RealityDevice"))
STATES: Final = {
    Standing.State.PENDING: gettext_lazy("Profile delivered"),
    Standing.State.AUTHENTICATED: gettext_lazy("Enrolling"),
    Standing.State.ACTIVE: gettext_lazy("Active"),
    Standing.State.ENDED: gettext_lazy("Ended"),
}
# As they stand in the records, and so in the search.
REASONS: Final = {
    retire.REMOVED_BY_PERSON: gettext_lazy("user removed management"),
    retire.RETIRED_BY_ADMINISTRATOR: gettext_lazy("retired by administrator"),
}


def status_badge(device: Device, *, is_live: bool = False) -> Badge:
    key = f"s{device.pk}" if is_live else ""
    why = REASONS.get(device.retired_reason, device.retired_reason) if device.status == S.RETIRED else ""
    return Badge(S(device.status).label, TONES.get(S(device.status), "plain"), key, note=why)


def model_of(device: Device) -> str:
    return device.model_name or device.product_name or device.model or device.family


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
