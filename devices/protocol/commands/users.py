"""The accounts of a Mac."""

from typing import Annotated, ClassVar

from devices.protocol import system
from devices.protocol.commands.base import Command, command
from devices.protocol.commands.keys import flag, text
from devices.protocol.sentence import sentence as _
from devices.protocol.support import DEVICE, SHARED_IPAD, SUPERVISED, At, Facts, Right
from devices.protocol.target import Target


@command
class UserList(Command):
    """https://developer.apple.com/documentation/devicemanagement/user-list-command."""

    facts: ClassVar = Facts(ios=At("9.3", SHARED_IPAD), macos=At("10.13", SUPERVISED))
    reads: ClassVar = system.USERS


@command
class DeleteUser(Command):
    """https://developer.apple.com/documentation/devicemanagement/delete-user-command."""

    facts: ClassVar = Facts(ios=At("9.3", SHARED_IPAD), macos=At("10.13", SUPERVISED))

    user_name: Annotated[str | None, text("UserName")] = None
    force_deletion: Annotated[bool, flag("ForceDeletion", macos=None)] = False
    delete_all_users: Annotated[bool, flag("DeleteAllUsers", ios=At("14.0"), macos=None)] = False

    def objection(self, target: Target) -> str | None:
        """All at once is for a Shared iPad."""
        del target
        return None if self.user_name is not None else _("DeleteUser needs the key UserName, which is text.")


@command
class UnlockUserAccount(Command):
    """https://developer.apple.com/documentation/devicemanagement/unlock-user-account-command."""

    facts: ClassVar = Facts(macos=At("10.13", DEVICE, Right.LOCK))

    user_name: Annotated[str, text("UserName")]
