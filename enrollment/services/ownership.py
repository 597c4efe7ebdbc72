"""Whose device it is, asked of the person who enrolls it where nobody else has said so (specification, section 9.2)."""

from devices.models import Device, Enrollment
from enrollment.models import Step
from enrollment.services import invitations, rules, trace
from enrollment.services.sign_in import State, Ticket
from epmm import options, settings_store


def choices(state: State, ticket: Ticket) -> list[Device.Owner]:
    """The usual one first; nothing where it is known, or not for them to say."""
    if state.enrollment or state.kind != Enrollment.Kind.ADDE or not settings_store.read(options.CHOOSE_OWNER):
        return []
    attempt = trace.find(state.reference)
    if attempt is None or attempt.owner or attempt.user is None or attempt.user.pk != ticket.user:
        return []
    usual = rules.of(ticket.user).owner()
    if usual.rule is not None or invitations.owner_for(attempt.user, state.kind):
        return []
    return sorted(Device.Owner, key=lambda owner: owner != usual.value)


def choose(state: State, ticket: Ticket, owner: str) -> None:
    """What they were not asked changes nothing."""
    attempt = trace.find(state.reference)
    if attempt is not None and owner in choices(state, ticket):
        attempt.owner = owner
        attempt.save(update_fields=["owner"])
        trace.step(attempt, Step.OWNER, owner=owner)
