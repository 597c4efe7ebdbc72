"""Why a command cannot work where it is to go, told before it is queued.  The device has the last word."""

from difflib import get_close_matches
from typing import Any, Final

from devices.protocol.commands.base import Kind, Platform, Request, Target
from devices.protocol.commands.facts import FACTS, NO_RIGHT_ON_MACOS, Channels, Facts, Reach, Right

MAC_PIN_LENGTH: Final = 6  # DeviceLock and EraseDevice: "The six-character PIN for Find My"
_NAMES: Final[dict[type[Any], str]] = {str: "text", bytes: "data", list: "an array", dict: "a dictionary"}


def why_not(request: Request, target: Target) -> str | None:
    """One sentence for the administrator, or None when nothing speaks against it."""
    name = request.request_type
    facts = FACTS.get(name)
    if facts is None:
        return _unknown(name)
    return (
        _reach(name, facts.on(target.platform), target)
        or _channel(name, facts, target)
        or _right(request, facts.right, target)
        or _payload(name, facts, request, target)
    )


def removes_enrollment(request: Request, target: Target) -> bool:
    """RemoveProfile with the identifier of the enrollment profile ends management."""
    return (
        request.request_type == "RemoveProfile"
        and not target.user_channel
        and target.profile_identifier != ""
        and request.payload.get("Identifier") == target.profile_identifier
    )


def _unknown(name: str) -> str:
    near = get_close_matches(name, FACTS, n=1)
    return f"There is no command {name}." + (f" Did you mean {near[0]}?" if near else "")


def _reach(name: str, reach: Reach | None, target: Target) -> str | None:
    match reach, target.kind:
        case None, _:
            return f"{target.platform} does not know {name}."
        case Reach.SHARED_IPAD, _:
            return f"{name} is for a Shared iPad, which account-driven enrollment does not make."
        case Reach.AUTOMATED, _:
            return f"{name} needs Automated Device Enrollment."
        case ((Reach.DEVICE | Reach.SUPERVISED), Kind.AAUE):
            return f"{name} is not allowed on a device that is enrolled as a user's own."
        # A device enrollment supervises a Mac (macOS 11), and nothing else.
        case Reach.SUPERVISED, Kind.ADDE if target.platform is not Platform.MACOS:
            return f"{name} needs a supervised device; account-driven enrollment supervises Macs only."
    return None


def _channel(name: str, facts: Facts, target: Target) -> str | None:
    if target.platform is not Platform.MACOS:
        return f"Only a Mac has users to send {name} to." if target.user_channel else None
    if target.user_channel and Channels.USER not in facts.channels:
        return f"{name} goes to the Mac, not to one of its users."
    if not target.user_channel and Channels.DEVICE not in facts.channels:
        return f"{name} goes to a user of the Mac, not to the Mac itself."
    return None


def _right(request: Request, right: Right | None, target: Target) -> str | None:
    """User enrollments ignore access rights, and removing the enrollment needs none."""
    name = request.request_type
    if right is None or target.access_rights is None or target.kind is Kind.AAUE:
        return None
    if right & target.access_rights or removes_enrollment(request, target):
        return None
    if target.platform is Platform.MACOS and name in NO_RIGHT_ON_MACOS:
        return None
    return f"{name} needs the access right {right.value}, which the enrollment profile did not ask for."


def _payload(name: str, facts: Facts, request: Request, target: Target) -> str | None:
    for key, kind in facts.needs.items():
        if not isinstance(request.payload.get(key), kind):
            return f"{name} needs the key {key}, which is {_NAMES[kind]}."
    pin = request.payload.get("PIN")
    if target.platform is Platform.MACOS and pin is not None and len(str(pin)) != MAC_PIN_LENGTH:
        return f"The PIN of {name} has {MAC_PIN_LENGTH} characters."
    return None
