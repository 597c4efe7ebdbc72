"""Declarations: typed classes for what EPMM knows in detail, structural checks for every other type of the schema."""

import re
from collections.abc import Mapping
from typing import Any, Final

from devices.protocol.declarations.activation import SimpleActivation
from devices.protocol.declarations.asset import DataAsset
from devices.protocol.declarations.base import InvalidDeclaration, TypedDeclaration, dictionary
from devices.protocol.declarations.facts import TYPES
from devices.protocol.declarations.legacy import LegacyProfile
from devices.protocol.declarations.management import OrganizationInfo, Properties
from devices.protocol.declarations.passcode import PasscodeSettings
from devices.protocol.declarations.reach import Capabilities, DeclarationKind, Facts, Holder, why_unreachable
from devices.protocol.declarations.software_update import SoftwareUpdateEnforcement, SoftwareUpdateSettings
from devices.protocol.declarations.status_subscriptions import StatusItem, StatusSubscriptions
from devices.protocol.sentence import sentence as _
from devices.protocol.sentence import with_nearest

__all__ = [
    "Capabilities",
    "DeclarationKind",
    "Facts",
    "Holder",
    "InvalidDeclaration",
    "LegacyProfile",
    "OrganizationInfo",
    "Properties",
    "SimpleActivation",
    "SoftwareUpdateEnforcement",
    "StatusItem",
    "StatusSubscriptions",
    "check_identifier",
    "checked",
    "facts_of",
    "kind_of",
    "why_not",
]

TYPED: Final[dict[str, type[TypedDeclaration]]] = {
    each.type: each
    for each in (
        DataAsset,
        LegacyProfile,
        OrganizationInfo,
        PasscodeSettings,
        Properties,
        SimpleActivation,
        SoftwareUpdateEnforcement,
        SoftwareUpdateSettings,
        StatusSubscriptions,
    )
}
IDENTIFIER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")  # octets; a slash would divide the endpoint
_KIND: Final = re.compile(r"com\.apple\.(activation|asset|configuration|management)\.")


def check_identifier(text: str) -> None:
    if not IDENTIFIER.fullmatch(text):
        raise InvalidDeclaration(_("An identifier has 1 to 64 letters, digits, dots, hyphens and underscores."))


def facts_of(name: str) -> Facts:
    """Raises for a type that Apple's schema does not have."""
    if name not in TYPES:
        raise InvalidDeclaration(with_nearest(_("There is no declaration {name}.", name=name), name, TYPES))
    return TYPES[name]


def kind_of(name: str) -> DeclarationKind:
    facts_of(name)
    found = _KIND.match(name)
    assert found is not None  # noqa: S101 - every name of the table begins like this
    return DeclarationKind(found[1])


def checked(name: str, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The payload as it will be sent; `InvalidDeclaration` says what is wrong with it."""
    facts_of(name)
    if name in TYPED:
        return TYPED[name].parse(payload).payload
    return dict(dictionary("Payload", payload))


def why_not(name: str, payload: Mapping[str, Any] | None, holder: Holder) -> str | None:
    """What speaks against it, in a sentence, or None when nothing does; without a payload, about the type alone."""
    if sentence := why_unreachable(name, TYPES[name], holder):
        return sentence
    if holder.capabilities and name not in holder.capabilities.declarations:
        return _("{name} is not supported by this device.", name=name)
    return None if payload is None or name not in TYPED else TYPED[name].parse(payload).why_not(holder)
