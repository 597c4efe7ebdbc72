"""Declarative management."""

from typing import Annotated, ClassVar

from devices.protocol.commands.base import Command, command
from devices.protocol.commands.keys import data
from devices.protocol.support import EITHER, At, Facts


@command
class DeclarativeManagement(Command):
    """https://developer.apple.com/documentation/devicemanagement/declarative-management-command."""

    facts: ClassVar = Facts(ios=At("15.0"), macos=At("13.0"), visionos=At("1.1"), channels=EITHER)

    tokens: Annotated[bytes | None, data("Data")] = None
