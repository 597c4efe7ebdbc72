"""What an administrator may do to devices, one class for each."""

from typing import Final

from devices.services.actions.attributes import AssignAttributes
from devices.services.actions.base import Action, Subject, Unmet, Values, subjects
from devices.services.actions.commands import ForceCheckIn, Lock, Retire, Unlock, Wipe
from devices.services.actions.records import ApplyLabel, ChangeOwnership, DeleteRetired, RemoveLabel

ACTIONS: Final[tuple[Action, ...]] = (
    ForceCheckIn(),
    Lock(),
    Unlock(),
    ChangeOwnership(),
    AssignAttributes(),
    ApplyLabel(),
    RemoveLabel(),
    Retire(),
    Wipe(),
    DeleteRetired(),
)
BY_KEY: Final = {action.key: action for action in ACTIONS}

__all__ = ["ACTIONS", "BY_KEY", "Action", "Subject", "Unmet", "Values", "subjects"]
