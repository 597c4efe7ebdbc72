from typing import Final

from devices.protocol.commands import Kind, Platform, Target

IPHONE: Final = Target(platform=Platform.IOS, kind=Kind.ADDE, access_rights=8191, profile_identifier="ours")
MAC: Final = Target(platform=Platform.MACOS, kind=Kind.ADDE, access_rights=8191, profile_identifier="ours")
VISION: Final = Target(platform=Platform.VISIONOS, kind=Kind.ADDE, access_rights=8191)
OWN_IPHONE: Final = Target(platform=Platform.IOS, kind=Kind.AAUE)
OWN_MAC: Final = Target(platform=Platform.MACOS, kind=Kind.AAUE)
OWN_VISION: Final = Target(platform=Platform.VISIONOS, kind=Kind.AAUE)
MAC_USER: Final = Target(platform=Platform.MACOS, kind=Kind.ADDE, user_channel=True, access_rights=8191)
OWN_MAC_USER: Final = Target(platform=Platform.MACOS, kind=Kind.AAUE, user_channel=True)
EVERY: Final = (IPHONE, MAC, VISION, OWN_IPHONE, OWN_MAC, OWN_VISION, MAC_USER, OWN_MAC_USER)
