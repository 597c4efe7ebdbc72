from dataclasses import dataclass
from typing import ClassVar, Final

from devices.protocol.declarations.base import InvalidDeclaration, TypedDeclaration, https, key
from epmm.wire import cms, plist
from epmm.wire.errors import WireError

CONTENT_TYPE: Final = "application/x-apple-aspen-config"
MAX_BYTES: Final = 1 << 20
NEVER: Final = frozenset({"com.apple.mdm", "com.apple.declarations"})
_DER_SEQUENCE: Final = b"\x30"


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyProfile(TypedDeclaration):
    """Any configuration profile, which the device downloads from us.

    https://developer.apple.com/documentation/devicemanagement/legacy
    """

    type: ClassVar[str] = "com.apple.configuration.legacy"

    profile_url: str = key("ProfileURL", https, required=True)


def check_profile(raw: bytes) -> None:
    """A configuration profile, signed or not, with payloads that may come this way."""
    payloads = _profile(raw).get("PayloadContent")
    if not isinstance(payloads, list) or not all(isinstance(item, dict) for item in payloads):
        raise InvalidDeclaration("The profile has no list PayloadContent.")
    for item in payloads:
        if item.get("PayloadType") in NEVER:
            raise InvalidDeclaration(f"A declared profile may not contain {item['PayloadType']}.")


def _profile(raw: bytes) -> dict[str, object]:
    try:
        if raw.startswith(_DER_SEQUENCE):
            raw = cms.parse_signed(raw).content or b""
        profile = plist.load_dict(raw, max_bytes=MAX_BYTES)
    except WireError as error:
        raise InvalidDeclaration("This is no configuration profile.") from error
    if profile.get("PayloadType") != "Configuration":
        raise InvalidDeclaration("This is no configuration profile: its PayloadType is not Configuration.")
    return profile
