"""Why a command cannot work where it is to go, told before it is queued.  The device has the last word."""

from devices.protocol.commands.base import REGISTRY, Request
from devices.protocol.commands.forbidden import FORBIDDEN
from devices.protocol.commands.keys import LONGEST_NAME, Mistake, nearest
from devices.protocol.support import At, Channels, Facts, lacks_right, objection
from devices.protocol.target import Platform, Target


def facts_of(request_type: str) -> Facts | None:
    made = REGISTRY.get(request_type)
    return made.facts if made is not None else FORBIDDEN.get(request_type)


def is_personal(request_type: str) -> bool:
    made = REGISTRY.get(request_type)
    return made is not None and made.is_personal


def answers_with_secret(request_type: str) -> bool:
    """What is never sent has no answer worth keeping, either."""
    made = REGISTRY.get(request_type)
    return request_type in FORBIDDEN if made is None else made.answers_with_secret


def why_not(request: Request, target: Target) -> str | None:
    """One sentence for the administrator, or None when nothing speaks against it."""
    name = request.request_type
    facts = facts_of(name)
    if facts is None:
        return _unknown(name)
    at = facts.on(target.platform)
    return (
        objection(name, at, target)
        or _channel(name, facts, target)
        or _right(request, at, target)
        or _payload(request, target)
    )


def why_not_as_written(request: Request, target: Target) -> str | None:
    """As `why_not`, of what an administrator wrote down."""
    if sentence := why_not(request, target):
        return sentence
    return REGISTRY[request.request_type].parse(request.payload, target).objection_as_written(target)


def removes_enrollment(request: Request, target: Target) -> bool:
    """RemoveProfile with the identifier of the enrollment profile ends management."""
    return (
        request.request_type == "RemoveProfile"
        and not target.user_channel
        and target.profile_identifier != ""
        and request.payload.get("Identifier") == target.profile_identifier
    )


def _unknown(name: str) -> str:
    near = nearest(name[:LONGEST_NAME], [*REGISTRY, *FORBIDDEN])
    return f"There is no command {name[:LONGEST_NAME]}.{near}"


def _channel(name: str, facts: Facts, target: Target) -> str | None:
    if target.platform is not Platform.MACOS:
        return f"Only a Mac has users to send {name} to." if target.user_channel else None
    if target.user_channel and Channels.USER not in facts.channels:
        return f"{name} goes to the Mac, not to one of its users."
    if not target.user_channel and Channels.DEVICE not in facts.channels:
        return f"{name} goes to a user of the Mac, not to the Mac itself."
    return None


def _right(request: Request, at: At | None, target: Target) -> str | None:
    """Removing the enrollment needs none."""
    if at is None or removes_enrollment(request, target):
        return None
    return lacks_right(request.request_type, at.right, target)


def _payload(request: Request, target: Target) -> str | None:
    made = REGISTRY.get(request.request_type)
    if made is None:
        return f"EPMM does not send {request.request_type}."  # to a device that says it is supervised
    try:
        made.parse(request.payload, target)
    except Mistake as mistake:
        told: str = mistake.args[0]  # a `Sentence`, perhaps
        return told
    return None
