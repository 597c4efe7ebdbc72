"""Where a declaration or a status item may go: what Apple's schema says of each, and the channel it is to go to."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from devices.protocol.sentence import gettext_noop, sentence
from devices.protocol.support import NOT_ON_OWN, NOT_SUPERVISED, Channels, Reach, unknown, wrong_channel
from devices.protocol.target import Kind, Platform

EITHER: Final = Channels.DEVICE | Channels.USER


class DeclarationKind(StrEnum):
    """The four lists of a manifest; the values are those of the endpoints."""

    ACTIVATION = "activation"
    ASSET = "asset"
    CONFIGURATION = "configuration"
    MANAGEMENT = "management"


@dataclass(frozen=True, slots=True)
class At:
    """Since which version a platform knows it, and from which enrollments it takes it."""

    version: str
    reach: Reach = Reach.ANY


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    ios: At | None = None  # None: the platform does not know it
    macos: At | None = None
    visionos: At | None = None
    channels: Channels = Channels.DEVICE  # of a Mac

    def on(self, platform: Platform) -> At | None:
        return {Platform.IOS: self.ios, Platform.MACOS: self.macos, Platform.VISIONOS: self.visionos}[platform]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a device has said that it can: `management.client-capabilities`."""

    declarations: frozenset[str]
    status_items: frozenset[str]

    @classmethod
    def read(cls, told: object) -> "Capabilities | None":
        """None when nothing that can be read was said: then the schema alone decides."""
        payloads = _dictionary(_dictionary(told).get("supported-payloads"))
        declarations = _dictionary(payloads.get("declarations"))
        types = frozenset(name for listed in declarations.values() for name in _names(listed))
        return cls(declarations=types, status_items=frozenset(_names(payloads.get("status-items")))) if types else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The channel that is to hold declarations."""

    platform: Platform
    kind: Kind
    user_channel: bool = False
    os_version: str = ""  # empty: not known
    capabilities: Capabilities | None = None  # None: not told yet


def why_unreachable(name: str, facts: Facts, holder: Holder) -> str | None:
    """One sentence for the administrator, or None when nothing in the schema speaks against it."""
    at = facts.on(holder.platform)
    if at is None:
        return unknown(name, holder.platform)
    if holder.kind is Kind.AAUE and at.reach is not Reach.ANY:
        return sentence(NOT_ON_OWN, subject=name)
    # a device enrollment supervises a Mac, and nothing else
    if at.reach is Reach.SUPERVISED and holder.platform is not Platform.MACOS:
        return sentence(NOT_SUPERVISED, subject=name)
    return too_old(name, at.version, holder) or wrong_channel(name, facts.channels, holder)


def too_old(subject: str, since: str, holder: Holder) -> str | None:
    if not is_older(holder.os_version, since):
        return None
    told = gettext_noop("{subject} needs {platform} {since}; this device has {version}.")
    return sentence(told, subject=subject, platform=holder.platform, since=since, version=holder.os_version)


def is_older(version: str, wanted: str) -> bool:
    """False when the version is not known or is none: then the device has the last word."""
    numbers = _numbers(version)
    return bool(numbers) and numbers < _numbers(wanted)


def _numbers(version: str) -> tuple[int, ...]:
    parts = version.split(".")
    if not all(part.isascii() and part.isdecimal() and len(part) <= 6 for part in parts):  # noqa: PLR2004 - digits
        return ()
    numbers = [int(part) for part in parts]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def _dictionary(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _names(value: object) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
