"""What people may do to their own devices: the actions of the Admin Portal, by roles of their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from devices.models import Device
from devices.protocol import commands
from devices.protocol.commands.allowed import facts_of
from devices.protocol.support import lacks_right
from devices.services import actions
from devices.services.actions import Action, Order, Outcome, Subject
from devices.services.actions.commands import CommandAction
from users.models import Role


@dataclass(frozen=True, slots=True)
class Own:
    """An action, what it asks of a person, and how it is put to them."""

    action: Action
    role: Role
    explanation: str | Promise
    on_a_mac: str | Promise = ""  # in its place
    asks_who: bool = False

    def explained(self, subject: Subject) -> str | Promise:
        return self.on_a_mac if self.on_a_mac and subject.is_mac else self.explanation


OWN: Final[tuple[Own, ...]] = (
    Own(
        actions.BY_KEY["lock"],
        Role.PORTAL_LOCK,
        gettext_lazy("The screen locks at once, with your message on it. The passcode stays as it is."),
        gettext_lazy("The Mac restarts and stays locked until somebody types the PIN that you choose here."),
    ),
    Own(
        actions.BY_KEY["unlock"],
        Role.PORTAL_UNLOCK,
        gettext_lazy(
            "The passcode is removed, and whoever holds the device gets in. Never do this to a device that is lost."
        ),
    ),
    Own(
        actions.BY_KEY["ownership"],
        Role.PORTAL_CHANGE_OWNER,
        gettext_lazy("Whether the device belongs to your organization or to you. Nothing changes on the device."),
    ),
    Own(
        actions.BY_KEY["retire"],
        Role.PORTAL_RETIRE,
        gettext_lazy(
            "The device leaves management. Work accounts, work apps and their data are removed from it: save what you "
            "still need first."
        ),
    ),
    Own(
        actions.BY_KEY["wipe"],
        Role.PORTAL_WIPE,
        gettext_lazy("Everything on the device is erased, your personal data too. This cannot be undone."),
        asks_who=True,
    ),
)
BY_KEY: Final = {own.action.key: own for own in OWN}


@dataclass(frozen=True, slots=True)
class Offer:
    """An action for one device; `why_not` greys it."""

    own: Own
    why_not: str | None

    @property
    def address(self) -> str:
        """The name of its page."""
        return f"self:device-{self.own.action.key}"


def subject_of(device: Device) -> Subject:
    return actions.subjects([device])[0]


def offers(subject: Subject, roles: frozenset[str]) -> Iterator[Offer]:
    """Those that the person has the role for."""
    for own in OWN:
        if own.role in roles:
            yield Offer(own, why_not(own.action, subject))


def carry_out(own: Own, subject: Subject, order: Order) -> Outcome:
    if sentence := why_not(own.action, subject):
        return Outcome(subject, is_done=False, said=sentence)
    return next(iter(actions.carry_out(own.action, [subject], order)))


def why_not(action: Action, subject: Subject) -> str | None:
    """What speaks against it, told to somebody who knows no commands."""
    if action.key == "retire" and subject.device.status == Device.Status.RETIRE_PENDING:
        return _("A retirement is pending already.")
    sentence, target = action.why_not(subject), subject.target
    if sentence is None or target is None or not isinstance(action, CommandAction):
        return sentence
    request = commands.by_name(action.request_type, None, target)
    if commands.why_not(request, target) != sentence:
        return sentence  # about the state of the device
    return _in_plain_words(action.request_type, target)


def _in_plain_words(request_type: str, target: commands.Target) -> str:
    facts = facts_of(request_type)
    at = facts.on(target.platform) if facts is not None else None
    if at is None:
        return _("This kind of device does not offer it.")
    if lacks_right(request_type, at.right, target):
        return _("Your organization has not asked for the right to do this on your device.")
    if target.kind is commands.Kind.AAUE:
        return _("The device is enrolled as your own, so your organization may not do this.")
    return _("This device does not allow it as it is now.")
