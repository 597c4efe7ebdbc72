from typing import Final

from devices.models import Channel
from devices.protocol.commands import Kind, Platform, Target
from devices.protocol.target import version_of

PLATFORM_OF_FAMILY: Final = {"Mac": Platform.MACOS, "RealityDevice": Platform.VISIONOS}
# What `target_of` looks at.
LOOKED_AT: Final = (
    "enrollment__kind",
    "enrollment__family",
    "enrollment__access_rights",
    "enrollment__profile_identifier",
    "enrollment__device__platform",
    "enrollment__device__os_version",
    "enrollment__device__is_supervised",
)


def target_of(channel: Channel) -> Target:
    """Where a command for this channel goes: what decides whether it may."""
    enrollment = channel.enrollment
    device = enrollment.device
    known = device.platform if device is not None else ""
    return Target(
        platform=Platform(known) if known else PLATFORM_OF_FAMILY.get(enrollment.family, Platform.IOS),
        kind=Kind(enrollment.kind),
        user_channel=channel.user_key != "",
        access_rights=enrollment.access_rights,
        profile_identifier=enrollment.profile_identifier,
        os_version=version_of(device.os_version) if device is not None else None,
        supervised=device.is_supervised if device is not None else None,
        unlock_token=lambda: bytes(enrollment.unlock_token) if enrollment.unlock_token else None,
    )
