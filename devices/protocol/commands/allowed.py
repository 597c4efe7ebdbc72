"""Why a command cannot work where it is to go, told before it is queued.  The device has the last word."""

from devices.protocol.commands.base import REGISTRY, Request
from devices.protocol.commands.forbidden import FORBIDDEN
from devices.protocol.commands.keys import LONGEST_NAME, Mistake
from devices.protocol.sentence import sentence as _
from devices.protocol.sentence import with_nearest
from devices.protocol.support import At, Facts, lacks_right, objection, wrong_channel
from devices.protocol.target import Target


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
        or wrong_channel(name, facts.channels, target)
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


def is_partial(request: Request, target: Target) -> bool:
    """Whether it asks for less than EPMM itself would there."""
    made = REGISTRY[request.request_type]
    return (request if isinstance(request, made) else made.parse(request.payload, target)).is_partial(target)


def _unknown(name: str) -> str:
    short = name[:LONGEST_NAME]
    return with_nearest(_("There is no command {name}.", name=short), short, [*REGISTRY, *FORBIDDEN])


def _right(request: Request, at: At | None, target: Target) -> str | None:
    """Removing the enrollment needs none."""
    if at is None or removes_enrollment(request, target):
        return None
    return lacks_right(request.request_type, at.right, target)


def _payload(request: Request, target: Target) -> str | None:
    made = REGISTRY.get(request.request_type)
    if made is None:
        # to a device that says it is supervised
        return _("EPMM does not send {command}.", command=request.request_type)
    try:
        made.parse(request.payload, target)
    except Mistake as mistake:
        told: str = mistake.args[0]  # a `Sentence`, perhaps
        return told
    return None
