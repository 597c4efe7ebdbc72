from typing import Final

from devices.models import Channel
from devices.protocol.commands import Kind, Platform, Target
from devices.protocol.target import version_of

PLATFORM_OF_FAMILY: Final = {"Mac": Platform.MACOS, "RealityDevice": Platform.VISIONOS}


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
