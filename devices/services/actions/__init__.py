"""What an administrator may do to devices, one class for each."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from devices.services.actions.attributes import AssignAttributes
from devices.services.actions.base import Action, Order, Subject, Unmet, Values, subjects
from devices.services.actions.commands import ForceCheckIn, Locate, Lock, PushProfiles, Retire, Unlock, Wipe
from devices.services.actions.labelling import ApplyLabel, RemoveLabel
from devices.services.actions.message import SendMessage
from devices.services.actions.person import ChangeUser
from devices.services.actions.records import ChangeOwnership, Comment, DeleteRetired, MarkFound, MarkLost
from devices.services.actions.remote import Roaming
from devices.services.actions.updates import UpdateOs
from devices.services.labels import LabelRefused
from devices.services.queue import CommandRefused
from devices.services.wording import worded

ACTIONS: Final[tuple[Action, ...]] = (
    ForceCheckIn(),
    Lock(),
    Unlock(),
    PushProfiles(),
    UpdateOs(),
    Roaming(),
    SendMessage(),
    ChangeOwnership(),
    ChangeUser(),
    MarkLost(),
    MarkFound(),
    Locate(),
    AssignAttributes(),
    ApplyLabel(),
    RemoveLabel(),
    Comment(),
    Retire(),
    Wipe(),
    DeleteRetired(),
)
BY_KEY: Final = {action.key: action for action in ACTIONS}

__all__ = [
    "ACTIONS",
    "BY_KEY",
    "Action",
    "Order",
    "Outcome",
    "Subject",
    "Unmet",
    "Values",
    "carry_out",
    "subjects",
]


@dataclass(frozen=True, slots=True)
class Outcome:
    subject: Subject
    is_done: bool
    said: str


def carry_out(action: Action, chosen: Iterable[Subject], order: Order) -> Iterator[Outcome]:
    """One after the other, each by itself: what one device refuses keeps nothing from the next."""
    for subject in chosen:
        if sentence := action.why_not(subject):
            yield Outcome(subject, is_done=False, said=worded(sentence))
            continue
        try:
            said = action.run(subject.device, order)
        except (Unmet, CommandRefused, LabelRefused) as refused:
            yield Outcome(subject, is_done=False, said=worded(refused.args[0]))
        else:
            yield Outcome(subject, is_done=True, said=said)
