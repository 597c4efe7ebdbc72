"""From what is assigned to what one channel is to hold: EPMM's own declarations, and those of administrators."""

import hashlib
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

from devices.models import Channel, Declaration
from devices.protocol import declarations, status_items
from devices.protocol.declarations import (
    DeclarationKind,
    Holder,
    InvalidDeclaration,
    LegacyProfile,
    OrganizationInfo,
    Properties,
    SimpleActivation,
    StatusItem,
    StatusSubscriptions,
)
from devices.protocol.declarations.base import TypedDeclaration
from devices.protocol.declarative.manifest import Item, Rendered, declarations_token, render
from devices.services import declared_profiles
from devices.services.target import target_of

OWN: Final = "epmm."  # no administrator's declaration begins like this
STATUS: Final = f"{OWN}status"
# One of them in all: an administrator's takes the place of ours.
ONLY_ONE: Final = (OrganizationInfo.type, Properties.type)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    rendered: tuple[Rendered, ...]
    unsupported: dict[str, str]  # by identifier: why it is left out

    @cached_property
    def items(self) -> list[Item]:
        return sorted(each.item for each in self.rendered)

    @cached_property
    def token(self) -> str:
        return declarations_token(self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    identifier: str
    type: str
    payload: Mapping[str, Any]
    predicate: str = ""

    def render(self) -> Rendered:
        kind = declarations.kind_of(self.type)
        return render(kind, identifier=self.identifier, type_=self.type, payload=self.payload)


def alike(channel: Channel, holder: Holder, assigned: Sequence[Declaration]) -> Hashable:
    """Who is the same by this is to hold the same: most of a fleet.  The address of a profile is of one channel."""
    own_addresses = channel.pk if any(each.profile_sha256 for each in assigned) else None
    return holder, own_addresses, tuple(each.version for each in assigned)


def wanted(channel: Channel, holder: Holder, assigned: Sequence[Declaration], *, organization: str) -> Wanted:
    unsupported: dict[str, str] = {}
    planned: list[_Planned] = []
    for each in assigned:
        plan = _plan(each, channel)
        if sentence := _why_not(plan, holder) or _content_why_not(each, channel):
            unsupported[plan.identifier] = sentence
        else:
            planned.append(plan)
    theirs = {plan.type for plan in planned}
    planned += [own for own in _own(holder, organization) if own.type not in theirs or own.type not in ONLY_ONE]
    planned += list(_activations(planned))
    return Wanted(rendered=tuple(plan.render() for plan in planned), unsupported=unsupported)


def _why_not(plan: _Planned, holder: Holder) -> str | None:
    try:
        return declarations.why_not(plan.type, plan.payload, holder)
    except InvalidDeclaration as error:  # stored when less was known about its type
        return str(error)


def _content_why_not(row: Declaration, channel: Channel) -> str | None:
    try:
        return declared_profiles.why_not(row.profile_sha256, target_of(channel)) if row.profile_sha256 else None
    except InvalidDeclaration as error:  # stored when less was asked of a profile
        return str(error)


def _plan(row: Declaration, channel: Channel) -> _Planned:
    payload = row.payload
    if row.profile_sha256:
        payload = LegacyProfile(profile_url=declared_profiles.url_for(channel, row.profile_sha256)).payload
    return _Planned(identifier=row.identifier, type=row.type, payload=payload, predicate=row.predicate)


@lru_cache(maxsize=256)
def _own(holder: Holder, organization: str) -> tuple[_Planned, ...]:
    """What every device gets, as far as it can.  Most of a fleet can the same."""
    names = status_items.subscribed(holder)
    made: dict[str, TypedDeclaration] = {
        f"{OWN}organization": OrganizationInfo(name=organization),
        f"{OWN}properties": Properties(values={"enrollment": holder.kind.value, "organization": organization}),
        STATUS: StatusSubscriptions(status_items=tuple(StatusItem(name=name) for name in names)),
    }
    return tuple(
        _Planned(identifier=identifier, type=declaration.type, payload=declaration.payload)
        for identifier, declaration in made.items()
        if declarations.why_not(declaration.type, declaration.payload, holder) is None
        and (names or identifier != STATUS)
    )


def _activations(planned: Sequence[_Planned]) -> Iterator[_Planned]:
    """One for each configuration that no other activation names: a policy that fails must not hold up another."""
    activated = {
        name
        for plan in planned
        if plan.type == SimpleActivation.type
        for name in SimpleActivation.parse(plan.payload).standard_configurations
    }
    for plan in planned:
        if declarations.kind_of(plan.type) == DeclarationKind.CONFIGURATION and plan.identifier not in activated:
            activation = SimpleActivation(standard_configurations=(plan.identifier,), predicate=plan.predicate or None)
            identifier = activation_of(plan.identifier)
            yield _Planned(identifier=identifier, type=activation.type, payload=activation.payload)


def activation_of(identifier: str) -> str:
    """Of a configuration; as the two together may be too long for a name, it is a hash."""
    return f"{OWN}activation.{hashlib.sha256(identifier.encode()).hexdigest()[:32]}"
