from dataclasses import dataclass
from typing import ClassVar, Final

from devices.protocol import configuration_profile
from devices.protocol.configuration_profile import ConfigurationProfile, ProfileRefused
from devices.protocol.declarations.base import InvalidDeclaration, TypedDeclaration, https, key
from devices.protocol.sentence import sentence as _

CONTENT_TYPE: Final = "application/x-apple-aspen-config"
NEVER: Final = frozenset({"com.apple.declarations"})  # besides what no profile of ours may contain


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyProfile(TypedDeclaration):
    """Any configuration profile, which the device downloads from us.

    https://developer.apple.com/documentation/devicemanagement/legacy
    """

    type: ClassVar[str] = "com.apple.configuration.legacy"

    profile_url: str = key("ProfileURL", https, required=True)


def read_profile(raw: bytes) -> ConfigurationProfile:
    """A configuration profile, signed or not, with payloads that may come this way."""
    try:
        profile = configuration_profile.read(raw)
    except ProfileRefused as refused:
        raise InvalidDeclaration(refused.args[0]) from refused
    for payload in profile.payloads:
        if payload.kind in NEVER:
            raise InvalidDeclaration(_("A declared profile may not contain {kind}.", kind=payload.kind))
    return profile
