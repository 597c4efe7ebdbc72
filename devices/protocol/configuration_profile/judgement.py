"""Whether a profile may go somewhere, and what of it has no effect there.  The device has the last word."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from devices.protocol.configuration_profile.payloads import ONLY_FOR_THE_MAC, ONLY_FOR_USERS, PAYLOADS
from devices.protocol.configuration_profile.reading import Payload
from devices.protocol.configuration_profile.restrictions import RESTRICTIONS
from devices.protocol.sentence import gettext_noop
from devices.protocol.sentence import sentence as _
from devices.protocol.support import NOT_SUPERVISED, unknown
from devices.protocol.target import Kind, Platform, Target

OWN_PROFILE: Final = gettext_noop("{identifier} is the identifier of the device's enrollment profile.")
WOULD_REFUSE: Final = gettext_noop(
    "{kind} is not allowed on a device that is enrolled as a user's own, which would refuse the whole profile."
)
NOT_FOR_USERS: Final = gettext_noop(
    "{kind} is for a Mac and not for one of its users: the profile's PayloadScope must not be User."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    refusal: str | None  # why the device would not take the profile
    warnings: tuple[str, ...]  # what it would take, and pay no heed to


def judge(identifier: str, payloads: Sequence[Payload], target: Target) -> Verdict:
    """`target` is the channel that the profile goes to."""
    if identifier == target.profile_identifier:
        return Verdict(refusal=_(OWN_PROFILE, identifier=identifier), warnings=())
    kinds = list(dict.fromkeys(payload.kind for payload in payloads))
    refusals = (sentence for kind in kinds if (sentence := _refusal(kind, target)))
    ignored = (sentence for kind in kinds if (sentence := _ignored(kind, target)))
    keys = dict.fromkeys(key for payload in payloads for key in payload.restrictions)
    return Verdict(refusal=next(refusals, None), warnings=(*ignored, *_without_effect(keys, target)))


def _refusal(kind: str, target: Target) -> str | None:
    reach = PAYLOADS[target.platform]
    if target.platform is Platform.MACOS:
        return _wrong_channel(kind, target)
    if target.kind is Kind.AAUE and kind in reach.device | reach.supervised:
        return _(WOULD_REFUSE, kind=kind)
    if kind in reach.supervised and not target.is_supervised:
        return _(NOT_SUPERVISED, subject=kind)
    return None


def _wrong_channel(kind: str, target: Target) -> str | None:
    if target.user_channel and kind in ONLY_FOR_THE_MAC:
        return _(NOT_FOR_USERS, kind=kind)
    if not target.user_channel and kind in ONLY_FOR_USERS:
        return _("{kind} is for the users of a Mac: the profile's PayloadScope must be User.", kind=kind)
    return None


def _ignored(kind: str, target: Target) -> str | None:
    reach = PAYLOADS[target.platform]
    if kind not in reach:
        return unknown(kind, target.platform)
    if target.platform is Platform.MACOS and target.kind is Kind.AAUE and kind not in reach.anywhere:
        return _("{kind} is not allowed on a Mac that is enrolled as a user's own, which ignores it.", kind=kind)
    return None


def _without_effect(keys: Iterable[str], target: Target) -> Iterator[str]:
    reach = RESTRICTIONS[target.platform]
    strange = [key for key in keys if key not in reach]
    own = [key for key in keys if key in reach and key not in reach.anywhere] if target.kind is Kind.AAUE else []
    unsupervised = [key for key in keys if key in reach.supervised and key not in own]
    if strange:
        yield _("Not applicable: {platform} does not know {keys}.", platform=target.platform, keys=", ".join(strange))
    if own:
        yield _("Not applicable on a device that is enrolled as a user's own: {keys}.", keys=", ".join(own))
    if unsupervised and not target.is_supervised:
        yield _("Not applicable without supervision: {keys}.", keys=", ".join(unsupervised))
